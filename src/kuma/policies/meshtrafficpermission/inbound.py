"""What MeshTrafficPermissions say of an inbound: who may connect.

`rules` speak of SPIFFE ids; where an inbound has any, its `from` entries are not looked at.
Source: reference 14.7.
"""

from collections.abc import Iterable, Iterator

from kuma.policies.meshtrafficpermission.model import (
    Action,
    ActionConf,
    IdentityMatch,
    IdentityRules,
    MatchesConf,
    PermissionConf,
    SpiffeMatch,
    TagMatch,
    TagRule,
)
from kuma.resolve.placement import InboundRule, InboundRules, Rule, Subset
from kuma.resources.match import Match
from kuma.resources.spec import SpecModel


def place_permissions(rules: InboundRules) -> tuple[object, ...]:
    """Nothing where no policy speaks; then nobody may connect."""
    if rules.by_match:
        return (PermissionConf(identity_rules=_identity_rules(rules.by_match)),)
    if rules.by_client:
        return (PermissionConf(tag_rules=tuple(_tag_rules(rules.by_client))),)
    return ()


def lets_in(conf: SpecModel) -> bool:
    if isinstance(conf, ActionConf):
        return conf.action in {Action.ALLOW, Action.ALLOW_WITH_SHADOW_DENY}
    if not isinstance(conf, MatchesConf):
        return False
    return any(map(_says_who, (*(conf.allow or ()), *(conf.allow_with_shadow_deny or ()))))


def _tag_rules(rules: Iterable[Rule]) -> Iterator[TagRule]:
    """An action is all that an entry says, so the strongest that holds for a client decides.

    # Differs from Kuma: there, entries that cannot hold together are combined apart, and a client
    # whom one group of them denies can be let in by another.
    """
    seen: set[Subset] = set()
    for rule in rules:
        action = rule.conf.action if isinstance(rule.conf, ActionConf) else None
        if action is None or rule.subset in seen:
            continue
        seen.add(rule.subset)
        matches = tuple(TagMatch(tag.key, tag.value, tag.negated) for tag in rule.subset)
        yield TagRule(matches, action, rule.origins)
        if not matches:  # everybody: nothing after it is ever asked
            return


def _identity_rules(rules: Iterable[InboundRule]) -> IdentityRules:
    deny: list[IdentityMatch] = []
    allow: list[IdentityMatch] = []
    shadow: list[IdentityMatch] = []
    for rule in rules:
        if isinstance(rule.conf, MatchesConf):
            deny += _matches(rule.conf.deny or (), rule)
            allow += _matches(rule.conf.allow or (), rule)
            shadow += _matches(rule.conf.allow_with_shadow_deny or (), rule)
    return IdentityRules(tuple(deny), tuple(allow), tuple(shadow))


def _matches(matches: Iterable[Match], rule: InboundRule) -> Iterable[IdentityMatch]:
    for match in filter(_says_who, matches):
        spiffe = match.spiffe_id
        yield IdentityMatch(
            spiffe=None if spiffe is None else SpiffeMatch(spiffe.type, spiffe.value),
            sni=None if match.sni is None else match.sni.value,
            origins=(rule.origin,),
            policy=rule.kri,
        )


def _says_who(match: Match) -> bool:
    """An empty match is nobody's."""
    return match.spiffe_id is not None or match.sni is not None
