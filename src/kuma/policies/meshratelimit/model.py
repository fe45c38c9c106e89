"""MeshRateLimit as users write it, and what an inbound is handed of it."""

from pydantic import Field, StrictBool

from kuma.kit.value import value
from kuma.resources.headers import HeaderAdditions
from kuma.resources.match import Match
from kuma.resources.spec import Duration, NonNegative, SpecModel
from kuma.resources.target_ref import TargetRef


class Rate(SpecModel):
    num: NonNegative
    """How many requests, or connections, within `interval`."""
    interval: Duration
    """Over how long they are counted; more than 50ms."""


class OnRateLimit(SpecModel):
    status: NonNegative | None = None
    """Status of the answers to requests that are too many. Default: 429, also in place of a status
    below 400 or unknown to Envoy."""
    headers: HeaderAdditions | None = None
    """Headers of these answers."""


class LocalHttp(SpecModel):
    disabled: StrictBool | None = None
    """Whether not to limit requests."""
    request_rate: Rate | None = None
    """Requests that the application gets."""
    on_rate_limit: OnRateLimit | None = None
    """What happens to requests that are too many."""


class LocalTcp(SpecModel):
    disabled: StrictBool | None = None
    """Whether not to limit connections."""
    connection_rate: Rate | None = None
    """Connections that are accepted; others are closed at once."""


class Local(SpecModel):
    """Each proxy counts for itself."""

    http: LocalHttp | None = None
    """Limits requests, where the protocol is known to be HTTP."""
    tcp: LocalTcp | None = None
    """Limits connections, whatever they carry."""


class RateLimitConf(SpecModel):
    local: Local | None = None
    """Limits that each proxy keeps for itself."""


class From(SpecModel):
    target_ref: TargetRef
    """The clients: Mesh, that is all."""
    default: RateLimitConf = RateLimitConf()
    """How much they may send."""


class To(SpecModel):
    target_ref: TargetRef
    """The destination: Mesh, that is all."""
    default: RateLimitConf = RateLimitConf()
    """How much a gateway lets through."""


class Rule(SpecModel):
    matches: tuple[Match, ...] | None = None
    """Clients that the rule is for: those that meet one of these. Left out: all. The clients that
    meet the same match share its rate."""
    default: RateLimitConf = RateLimitConf()
    """How much they may send."""


class MeshRateLimitSpec(SpecModel):
    target_ref: TargetRef | None = None
    """The proxies that the policy configures. Left out: all of the mesh."""
    from_: tuple[From, ...] | None = Field(default=None, alias="from")
    """For calls that these proxies receive; `rules` is the newer form."""
    to: tuple[To, ...] | None = None
    """For calls through gateways."""
    rules: tuple[Rule, ...] | None = None
    """For calls that these proxies receive."""


@value
class ClientRateLimit:
    """`http` is all that holds for clients that meet `match`."""

    match: Match
    http: LocalHttp


@value
class ClientRateLimits:
    """Most specific match first; the first that holds decides, none: the inbound's RateLimitConf."""

    limits: tuple[ClientRateLimit, ...]
