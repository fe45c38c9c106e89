"""MeshTrafficPermission as users write it, and PermissionConf, what an inbound is handed.

Who the client is comes from its certificate, in one of two languages: tags (`kuma://` names beside
the service's SPIFFE id) for `from`, SPIFFE ids for `rules`. An inbound gets one of the two.
"""

from enum import StrEnum

from pydantic import Field

from kuma.kit.value import value
from kuma.plan.origin import Origin
from kuma.resources.match import Match, SpiffeMatchType
from kuma.resources.spec import SpecModel
from kuma.resources.target_ref import TargetRef


class Action(StrEnum):
    """AllowWithShadowDeny allows, and lets Envoy count what a deny would have stopped."""

    ALLOW = "Allow"
    DENY = "Deny"
    ALLOW_WITH_SHADOW_DENY = "AllowWithShadowDeny"


class ActionConf(SpecModel):
    action: Action | None = None
    """What happens to requests of these clients; required."""


class From(SpecModel):
    target_ref: TargetRef
    """The clients: Mesh for all, a MeshSubset by tags, a MeshService, or a MeshServiceSubset."""
    default: ActionConf = ActionConf()
    """What holds for them."""


class MatchesConf(SpecModel):
    deny: tuple[Match, ...] | None = None
    """Clients that are denied, whatever else is said of them."""
    allow_with_shadow_deny: tuple[Match, ...] | None = None
    """Clients that are allowed, while Envoy counts what a deny would have stopped."""
    allow: tuple[Match, ...] | None = None
    """Clients that are allowed."""


class Rule(SpecModel):
    default: MatchesConf
    """Who may and who may not."""


class MeshTrafficPermissionSpec(SpecModel):
    target_ref: TargetRef | None = None
    """The proxies that are called. Left out: all of the mesh."""
    from_: tuple[From, ...] | None = Field(default=None, alias="from")
    """Clients by their tags."""
    rules: tuple[Rule, ...] | None = None
    """Clients by their SPIFFE ids."""


@value
class TagMatch:
    """The client has the tag `key`=`value`; negated: it does not."""

    key: str
    value: str
    negated: bool = False


@value
class TagRule:
    """Holds for clients that meet every match of `subset`; an empty subset is everybody."""

    subset: tuple[TagMatch, ...]
    action: Action
    origins: tuple[Origin, ...] = ()


SpiffeMatchKind = SpiffeMatchType


@value
class SpiffeMatch:
    kind: SpiffeMatchKind
    value: str


@value
class IdentityMatch:
    """Every part that is set must hold, and one is set. `policy` is the KRI of the one that says so."""

    spiffe: SpiffeMatch | None = None
    sni: str | None = None
    origins: tuple[Origin, ...] = ()
    policy: str = ""


@value
class IdentityRules:
    """Deny decides first, then both allow lists; no match denies."""

    deny: tuple[IdentityMatch, ...] = ()
    allow: tuple[IdentityMatch, ...] = ()
    allow_with_shadow_deny: tuple[IdentityMatch, ...] = ()


@value
class PermissionConf:
    """`tag_rules` in order, the first that holds decides, none: deny. `identity_rules`, if present,
    are used instead."""

    tag_rules: tuple[TagRule, ...] = ()
    identity_rules: IdentityRules | None = None
