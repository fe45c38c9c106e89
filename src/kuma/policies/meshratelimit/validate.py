"""What the schema of a MeshRateLimit cannot say."""

from collections.abc import Sequence
from datetime import timedelta

from kuma.policies.constraints import (
    FROM_GATEWAYS,
    PROXIES,
    Found,
    header_additions,
    is_system_policy,
    one_of_lists,
    positive,
)
from kuma.policies.meshratelimit.model import (
    From,
    Local,
    LocalHttp,
    LocalTcp,
    MeshRateLimitSpec,
    Rate,
    RateLimitConf,
    Rule,
    To,
)
from kuma.resources.match import Match, validate_match
from kuma.resources.resource import Resource
from kuma.resources.target_ref import (
    WHOLE_MESH,
    TargetRefKind,
    includes_gateways,
    validate_target_ref,
)
from kuma.resources.violation import Violation, at

SHORTEST_INTERVAL = timedelta(milliseconds=50)

_OF_ROUTES_AND_GATEWAYS = (TargetRefKind.MESH_HTTP_ROUTE, TargetRefKind.MESH_GATEWAY)
_MESH = (TargetRefKind.MESH,)


def validate(resource: Resource[MeshRateLimitSpec]) -> Found:
    spec = resource.spec
    top = spec.target_ref or WHOLE_MESH
    lists = {"from": spec.from_, "to": spec.to, "rules": spec.rules}
    found: list[Violation] = []
    if present := [name for name, items in lists.items() if items]:
        found += one_of_lists(tuple(lists), present)
    if spec.target_ref is not None:
        system = is_system_policy(resource)
        found += at(
            "targetRef",
            validate_target_ref(
                spec.target_ref,
                kinds=(*PROXIES, *_OF_ROUTES_AND_GATEWAYS) if system else PROXIES,
                is_inbound_policy=bool(spec.from_ or spec.rules),
                gateway_tags_allowed=system,
            ),
        )
    with_gateways = includes_gateways(top)
    found += _validate_rules(spec.rules or (), with_gateways=with_gateways)
    found += _validate_from(spec.from_ or (), with_gateways=with_gateways)
    found += _validate_to(spec.to or (), with_gateways=with_gateways)
    return at("spec", found)


def _validate_rules(rules: Sequence[Rule], *, with_gateways: bool) -> list[Violation]:
    if rules and with_gateways:
        return [Violation("rules", "must not be defined")]
    found: list[Violation] = []
    for index, rule in enumerate(rules):
        found += at(f"rules[{index}]", _validate_rule(rule))
    return found


def _validate_from(items: Sequence[From], *, with_gateways: bool) -> list[Violation]:
    if items and with_gateways:
        return [Violation("from", FROM_GATEWAYS)]
    found: list[Violation] = []
    for index, item in enumerate(items):
        found += at(f"from[{index}].targetRef", validate_target_ref(item.target_ref, kinds=_MESH))
        found += at(f"from[{index}].default", _validate_conf(item.default))
    return found


def _validate_to(items: Sequence[To], *, with_gateways: bool) -> list[Violation]:
    """Only gateways limit what they send."""
    if items and not with_gateways:
        return [Violation("to", "must not be defined")]
    found: list[Violation] = []
    for index, item in enumerate(items):
        found += at(f"to[{index}].targetRef", validate_target_ref(item.target_ref, kinds=_MESH))
        found += at(f"to[{index}].default", _validate_conf(item.default))
    return found


def _validate_rule(rule: Rule) -> list[Violation]:
    matches = rule.matches or ()
    found: list[Violation] = []
    for index, match in enumerate(matches):
        found += at(f"matches[{index}]", _validate_match(match))
    local = rule.default.local
    if local is not None and local.tcp is not None and any(each.spiffe_id for each in matches):
        text = (
            "can't be specified when matches contain spiffeID because this field cannot be "
            "conditioned on source identity"
        )
        found.append(Violation("default.local.tcp", text))
    return [*found, *at("default", _validate_conf(rule.default))]


def _validate_match(match: Match) -> Found:
    if match.spiffe_id is None and match.sni is None:
        return (Violation("", "must specify at least one of 'spiffeID' or 'sni'"),)
    return validate_match(match)


def _validate_conf(conf: RateLimitConf) -> Found:
    if conf.local is None:
        return (Violation("local", "must be defined"),)
    return at("local", _validate_local(conf.local))


def _validate_local(local: Local) -> list[Violation]:
    if local == Local():
        return [Violation("", "must have at least one defined: tcp, http")]
    found: list[Violation] = []
    if local.http is not None:
        found += at("http", _validate_http(local.http))
    if local.tcp is not None:
        found += at("tcp", _validate_tcp(local.tcp))
    return found


def _validate_http(http: LocalHttp) -> list[Violation]:
    if http == LocalHttp():
        text = "must have at least one defined: disabled, requestRate, onRateLimit"
        return [Violation("", text)]
    found = [*at("requestRate", _validate_rate(http.request_rate))]
    if http.on_rate_limit is not None:
        found += positive("onRateLimit.status", http.on_rate_limit.status)
        found += header_additions("onRateLimit.headers", http.on_rate_limit.headers)
    return found


def _validate_tcp(tcp: LocalTcp) -> Found:
    if tcp == LocalTcp():
        return (Violation("", "must have at least one defined: disabled, connectionRate"),)
    return at("connectionRate", _validate_rate(tcp.connection_rate))


def _validate_rate(rate: Rate | None) -> list[Violation]:
    if rate is None:
        return []
    found = [*positive("num", rate.num)]
    if rate.interval <= SHORTEST_INTERVAL:
        found.append(Violation("interval", "must be greater than: 50ms"))
    return found
