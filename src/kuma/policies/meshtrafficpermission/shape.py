"""PermissionConf -> an RBAC filter, first in every chain that the mesh's TLS protects.

Who comes is read from the certificate that the client showed: `spiffe://<mesh>/<service>` for its
services, `kuma://<tag>/<value>` for its tags, or a SPIFFE id as such. A chain without that TLS
(PERMISSIVE) has nobody to ask and lets everybody in.

For HTTP the filter itself denies everybody, and the rules ride on the routes:

    chain: RBAC filter, denies ── virtual host: RBAC per route, the rules in force, over RDS

Differs from Kuma, whose rules are part of the listener: here a change acts on the next request of
every connection and drains none.
"""

import re
from collections.abc import Iterable, Sequence

from envoy.config.listener.v3.listener_components_pb2 import Filter
from envoy.config.rbac.v3 import rbac_pb2
from envoy.config.rbac.v3.rbac_pb2 import Permission, Policy, Principal
from envoy.config.route.v3.route_components_pb2 import VirtualHost
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2 as http_rbac_pb2
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpFilter,
)
from envoy.extensions.filters.network.rbac.v3 import rbac_pb2 as network_rbac_pb2
from envoy.extensions.matching.common_inputs.network.v3.network_inputs_pb2 import ServerNameInput
from envoy.extensions.matching.common_inputs.ssl.v3.ssl_inputs_pb2 import UriSanInput
from envoy.type.matcher.v3.string_pb2 import StringMatcher
from xds.core.v3.extension_pb2 import TypedExtensionConfig
from xds.type.matcher.v3.matcher_pb2 import Matcher
from xds.type.matcher.v3.regex_pb2 import RegexMatcher
from xds.type.matcher.v3.string_pb2 import StringMatcher as XdsStringMatcher

from kuma.envoy import http_filters
from kuma.envoy.endpoint import SERVICE
from kuma.envoy.message import pack
from kuma.envoy.shaper import InboundChain, Shaper
from kuma.plan import names
from kuma.plan.proxy import Inbound
from kuma.policies.meshtrafficpermission.model import (
    Action,
    IdentityMatch,
    IdentityRules,
    PermissionConf,
    SpiffeMatch,
    SpiffeMatchKind,
    TagMatch,
    TagRule,
)

NETWORK_RBAC = "envoy.filters.network.rbac"
POLICY = "MeshTrafficPermission"
NO_RULE = "default"

_Predicate = Matcher.MatcherList.Predicate
_ANYTHING = Permission(any=True)
_FEW = 16
"""So many rules exclude each other one by one."""


class PermissionShaper(Shaper):
    kind = "MeshTrafficPermission"
    guards = True

    def inbound_chain(self, chain: InboundChain) -> None:
        if not chain.secured:
            return
        conf = _conf(chain.inbound)
        if chain.http is not None:
            chain.http.filters.append(_DENY)
        else:
            chain.network_filters.insert(0, _network_filter(conf, chain.inbound))
        chain.inspects_tls |= conf.identity_rules is not None and _asks_for_sni(conf.identity_rules)

    def inbound_routes(self, host: VirtualHost, inbound: Inbound) -> None:
        """Chains without the filter do not look at this. Without TLS there are none with it but
        those of the listener that was there before, or will be there next: they share these routes
        for a while, and let everybody in."""
        rules = http_rbac_pb2.RBACPerRoute()
        if inbound.tls is not None:
            rules.rbac.CopyFrom(_build_rbac(_conf(inbound), inbound))
        host.typed_per_filter_config[http_filters.RBAC].CopyFrom(pack(rules))


_DENY = HttpFilter(
    name=http_filters.RBAC,
    typed_config=pack(http_rbac_pb2.RBAC(rules=rbac_pb2.RBAC(action=rbac_pb2.RBAC.ALLOW))),
)


def _conf(inbound: Inbound) -> PermissionConf:
    """Where no policy says anything, nobody is allowed."""
    return inbound.conf.get(PermissionConf) or PermissionConf()


def _build_rbac(conf: PermissionConf, inbound: Inbound) -> http_rbac_pb2.RBAC:
    rules = conf.identity_rules
    return _by_identity(rules) if rules is not None else _by_tags(conf, inbound)


def _network_filter(conf: PermissionConf, inbound: Inbound) -> Filter:
    rbac = _build_rbac(conf, inbound)
    prefix = names.statistic(inbound.listener_name)
    config = network_rbac_pb2.RBAC(stat_prefix=f"{prefix}.")
    # The two messages have the same four fields, and a field that is not set must stay so.
    for field in ("rules", "shadow_rules", "matcher", "shadow_matcher"):
        if rbac.HasField(field):
            getattr(config, field).CopyFrom(getattr(rbac, field))
    return Filter(name=NETWORK_RBAC, typed_config=pack(config))


# By tags


def _by_tags(conf: PermissionConf, inbound: Inbound) -> http_rbac_pb2.RBAC:
    """Envoy allows who meets one of the principals, and nobody if there is none."""
    mesh = inbound.tls.san_prefixes[0] if inbound.tls and inbound.tls.san_prefixes else ""
    rules = conf.tag_rules
    made = http_rbac_pb2.RBAC(rules=rbac_pb2.RBAC(action=rbac_pb2.RBAC.ALLOW))
    allowed = _principals(rules, frozenset({Action.ALLOW, Action.ALLOW_WITH_SHADOW_DENY}), mesh)
    if allowed:
        made.rules.policies[POLICY].CopyFrom(_policy(allowed))
    counted = _principals(rules, frozenset({Action.ALLOW_WITH_SHADOW_DENY}), mesh)
    if counted:
        made.shadow_rules.action = rbac_pb2.RBAC.DENY
        made.shadow_rules.policies[POLICY].CopyFrom(_policy(counted))
    return made


def _policy(principals: Iterable[Principal]) -> Policy:
    return Policy(permissions=[_ANYTHING], principals=principals)


def _principals(rules: Sequence[TagRule], actions: frozenset[Action], mesh: str) -> list[Principal]:
    """Those whom a rule with one of the actions decides about. Of many rules the second half is for
    whom none of the first half says otherwise: so the whole stays in proportion to what is in it."""
    if len(rules) <= _FEW:
        return _principals_of_few(rules, actions, mesh)
    first, second = rules[: len(rules) // 2], rules[len(rules) // 2 :]
    found, more = _principals(first, actions, mesh), _principals(second, actions, mesh)
    otherwise = [_all_of(_ids(rule, mesh)) for rule in first if rule.action not in actions]
    if more and otherwise:
        more = [_all_of([_any_of(more), Principal(not_id=_any_of(otherwise))])]
    return found + more


def _principals_of_few(
    rules: Sequence[TagRule], actions: frozenset[Action], mesh: str
) -> list[Principal]:
    """Who meets a rule, and none before it that says otherwise. Rules that no client can meet together
    need no exclusion."""
    found = []
    for index, rule in enumerate(rules):
        if rule.action in actions:
            before = [
                other
                for other in rules[:index]
                if other.action not in actions and _may_both_hold(other.subset, rule.subset)
            ]
            ids = [_tag_principal(match, mesh) for match in rule.subset]
            ids += [Principal(not_id=_all_of(_ids(other, mesh))) for other in before]
            found.append(_all_of(ids))
    return found


def _ids(rule: TagRule, mesh: str) -> list[Principal]:
    return [_tag_principal(match, mesh) for match in rule.subset]


def _may_both_hold(one: tuple[TagMatch, ...], other: tuple[TagMatch, ...]) -> bool:
    return not any(
        a.key == b.key
        and ((a.negated != b.negated) if a.value == b.value else not (a.negated or b.negated))
        for a in one
        for b in other
    )


def _tag_principal(match: TagMatch, mesh: str) -> Principal:
    name = f"{mesh}{match.value}" if match.key == SERVICE else f"kuma://{match.key}/{match.value}"
    has = Principal(authenticated=Principal.Authenticated(principal_name=StringMatcher(exact=name)))
    return Principal(not_id=has) if match.negated else has


def _all_of(ids: list[Principal]) -> Principal:
    match ids:
        case []:
            return Principal(any=True)
        case [only]:
            return only
        case _:
            return Principal(and_ids=Principal.Set(ids=ids))


def _any_of(ids: list[Principal]) -> Principal:
    return ids[0] if len(ids) == 1 else Principal(or_ids=Principal.Set(ids=ids))


# By identity


def _by_identity(rules: IdentityRules) -> http_rbac_pb2.RBAC:
    """In the order of the list the first match decides: so all denials come first."""
    allowed = [*rules.allow, *rules.allow_with_shadow_deny]
    decisions = [(match, rbac_pb2.RBAC.DENY) for match in rules.deny]
    decisions += [(match, rbac_pb2.RBAC.ALLOW) for match in allowed]
    made = http_rbac_pb2.RBAC(matcher=_matcher(decisions, otherwise=rbac_pb2.RBAC.DENY))
    if rules.allow_with_shadow_deny:
        # Differs from Kuma, whose shadow also denies whoever no rule names, and so counts everybody.
        shadow = [(match, rbac_pb2.RBAC.DENY) for match in rules.allow_with_shadow_deny]
        made.shadow_matcher.CopyFrom(_matcher(shadow, otherwise=rbac_pb2.RBAC.ALLOW))
    return made


def _matcher(
    decisions: Iterable[tuple[IdentityMatch, "rbac_pb2.RBAC.Action.ValueType"]],
    *,
    otherwise: "rbac_pb2.RBAC.Action.ValueType",
) -> Matcher:
    made = Matcher()
    made.on_no_match.CopyFrom(_decide(otherwise, NO_RULE))
    for match, action in decisions:
        decision = _decide(action, match.policy or NO_RULE)
        made.matcher_list.matchers.add(predicate=_predicate(match), on_match=decision)
    return made


def _decide(action: "rbac_pb2.RBAC.Action.ValueType", name: str) -> Matcher.OnMatch:
    """`name` shows in Envoy's response details, so that a denied caller's log says which policy."""
    config = pack(rbac_pb2.Action(name=name, action=action))
    return Matcher.OnMatch(
        action=TypedExtensionConfig(name="envoy.filters.rbac.action", typed_config=config)
    )


def _predicate(match: IdentityMatch) -> _Predicate:
    parts = []
    if match.spiffe is not None:
        parts.append(_single(_SPIFFE_INPUT, _spiffe_matcher(match.spiffe)))
    if match.sni is not None:
        parts.append(_single(_SNI_INPUT, XdsStringMatcher(exact=match.sni)))
    if len(parts) > 1:
        return _Predicate(and_matcher=_Predicate.PredicateList(predicate=parts))
    return parts[0]


_SPIFFE_INPUT = TypedExtensionConfig(
    name="envoy.matching.inputs.uri_san", typed_config=pack(UriSanInput())
)
_SNI_INPUT = TypedExtensionConfig(
    name="envoy.matching.inputs.server_name", typed_config=pack(ServerNameInput())
)


def _single(what: TypedExtensionConfig, value: XdsStringMatcher) -> _Predicate:
    return _Predicate(single_predicate=_Predicate.SinglePredicate(input=what, value_match=value))


def _spiffe_matcher(spiffe: SpiffeMatch) -> XdsStringMatcher:
    """Envoy hands over all URIs of the certificate joined by commas, which a SPIFFE id cannot
    contain. Differs from Kuma, where a match fails for a certificate with more than one URI."""
    wanted = re.escape(spiffe.value)
    rest = "[^,]*" if spiffe.kind is SpiffeMatchKind.PREFIX else ""
    return XdsStringMatcher(
        safe_regex=RegexMatcher(
            regex=f"(.*,)?{wanted}{rest}(,.*)?", google_re2=RegexMatcher.GoogleRE2()
        )
    )


def _asks_for_sni(rules: IdentityRules) -> bool:
    return any(
        match.sni is not None
        for matches in (rules.deny, rules.allow, rules.allow_with_shadow_deny)
        for match in matches
    )


SHAPER = PermissionShaper()
