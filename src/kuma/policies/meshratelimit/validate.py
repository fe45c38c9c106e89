"""What the schema of a MeshRateLimit cannot say."""

from collections.abc import Sequence
from datetime import timedelta

from kuma.policies.constraints import (
    PROXIES,
    Found,
    header_additions,
    is_system_policy,
    positive,
)
from kuma.policies.lists import (
    FROM_GATEWAYS,
    one_of_lists,
    validate_items,
    validate_matches,
    validate_top,
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
from kuma.resources.resource import Resource
from kuma.resources.target_ref import (
    WHOLE_MESH,
    TargetRefKind,
    includes_gateways,
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
    found += validate_top(
        spec.target_ref,
        kinds=(*PROXIES, *_OF_ROUTES_AND_GATEWAYS) if is_system_policy(resource) else PROXIES,
        is_inbound_policy=bool(spec.from_ or spec.rules),
        gateway_tags_allowed=is_system_policy(resource),
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


def _validate_from(items: Sequence[From], *, with_gateways: bool) -> Found:
    if items and with_gateways:
        return (Violation("from", FROM_GATEWAYS),)
    return validate_items("from", items, _MESH, _validate_conf)


def _validate_to(items: Sequence[To], *, with_gateways: bool) -> Found:
    """Only gateways limit what they send."""
    if items and not with_gateways:
        return (Violation("to", "must not be defined"),)
    return validate_items("to", items, _MESH, _validate_conf)


def _validate_rule(rule: Rule) -> list[Violation]:
    matches = rule.matches or ()
    found = [*validate_matches(matches, may_be_empty=False)]
    local = rule.default.local
    if local is not None and local.tcp is not None and any(each.spiffe_id for each in matches):
        text = (
            "can't be specified when matches contain spiffeID because this field cannot be "
            "conditioned on source identity"
        )
        found.append(Violation("default.local.tcp", text))
    return [*found, *at("default", _validate_conf(rule.default))]


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
