"""What the schema of a MeshFaultInjection cannot say."""

from collections.abc import Sequence

from kuma.policies.constraints import (
    PROXIES,
    Found,
    is_system_policy,
    not_negative,
    percentage,
    status_code,
)
from kuma.policies.lists import (
    FROM_GATEWAYS,
    one_of_lists,
    validate_items,
    validate_matches,
    validate_top,
)
from kuma.policies.meshfaultinjection.model import (
    Abort,
    FaultInjectionConf,
    From,
    MeshFaultInjectionSpec,
    ResponseBandwidth,
    Rule,
    To,
    parse_bandwidth,
)
from kuma.resources.resource import Resource
from kuma.resources.target_ref import (
    WHOLE_MESH,
    TargetRefKind,
    includes_gateways,
)
from kuma.resources.violation import Violation, at

LOWEST_STATUS = 200

_MESH = (TargetRefKind.MESH,)
_CLIENTS = (
    TargetRefKind.MESH,
    TargetRefKind.MESH_SUBSET,
    TargetRefKind.MESH_SERVICE,
    TargetRefKind.MESH_SERVICE_SUBSET,
)


def validate(resource: Resource[MeshFaultInjectionSpec]) -> Found:
    spec = resource.spec
    found: list[Violation] = []
    found += validate_top(
        spec.target_ref,
        kinds=(*PROXIES, TargetRefKind.MESH_GATEWAY) if is_system_policy(resource) else PROXIES,
        is_inbound_policy=bool(spec.from_ or spec.rules),
        gateway_tags_allowed=is_system_policy(resource),
    )
    if spec.from_ and spec.rules:
        found += one_of_lists(("from", "rules"), ("from", "rules"))
    with_gateways = includes_gateways(spec.target_ref or WHOLE_MESH)
    for index, rule in enumerate(spec.rules or ()):
        found += at(f"rules[{index}]", _validate_rule(rule))
    found += _validate_from(spec.from_ or (), with_gateways=with_gateways)
    found += _validate_to(spec.to or (), with_gateways=with_gateways)
    return at("spec", found)


def _validate_rule(rule: Rule) -> list[Violation]:
    return [*validate_matches(rule.matches), *at("default", _validate_conf(rule.default))]


def _validate_from(items: Sequence[From], *, with_gateways: bool) -> Found:
    if items and with_gateways:
        return (Violation("from", FROM_GATEWAYS),)
    return validate_items("from", items, _CLIENTS, _validate_conf)


def _validate_to(items: Sequence[To], *, with_gateways: bool) -> Found:
    """Only gateways have faults for what they send."""
    if items and not with_gateways:
        return (Violation("to", "must not be defined"),)
    return validate_items("to", items, _MESH, _validate_conf)


def _validate_conf(conf: FaultInjectionConf) -> list[Violation]:
    """Kuma's paths have the index behind the kind of fault, not behind `http`."""
    found: list[Violation] = []
    for index, fault in enumerate(conf.http or ()):
        if fault.abort is not None:
            found += at(f"http.abort[{index}]", _validate_abort(fault.abort))
        if (delay := fault.delay) is not None:
            path = f"http.delay[{index}]"
            found += not_negative(f"{path}.value", delay.value)
            found += percentage(f"{path}.percentage", delay.percentage)
        if fault.response_bandwidth is not None:
            path = f"http.responseBandwidth[{index}]"
            found += at(path, _validate_bandwidth(fault.response_bandwidth))
    return found


def _validate_abort(abort: Abort) -> list[Violation]:
    found = [*status_code("httpStatus", abort.http_status)]
    if not found and abort.http_status < LOWEST_STATUS:
        # Differs from Kuma, which takes it, and Envoy then rejects the proxy's configuration.
        found.append(Violation("httpStatus", "must be in inclusive range [200, 599]"))
    return [*found, *percentage("percentage", abort.percentage)]


def _validate_bandwidth(bandwidth: ResponseBandwidth) -> list[Violation]:
    found: list[Violation] = []
    if not bandwidth.limit:
        found.append(Violation("limit", "must be defined"))
    elif not parse_bandwidth(bandwidth.limit):
        # Differs from Kuma, which takes `kbps` and `0kbps`, and cannot configure the proxy then.
        found.append(Violation("limit", "must be in kbps/Mbps/Gbps units"))
    return [*found, *percentage("percentage", bandwidth.percentage)]
