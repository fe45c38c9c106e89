"""What the schema of a MeshTimeout cannot say."""

from collections.abc import Sequence
from functools import partial

from kuma.policies.constraints import (
    PROXIES,
    Found,
    is_system_policy,
    not_negative,
    positive_duration,
)
from kuma.policies.lists import one_of_lists, validate_items, validate_matches, validate_top
from kuma.policies.meshtimeout.model import (
    From,
    MeshTimeoutSpec,
    Rule,
    TimeoutConf,
    TimeoutHttp,
    To,
)
from kuma.resources.resource import Resource
from kuma.resources.target_ref import WHOLE_MESH, TargetRefKind
from kuma.resources.violation import Violation, at

_OF_ROUTES_AND_GATEWAYS = frozenset({TargetRefKind.MESH_HTTP_ROUTE, TargetRefKind.MESH_GATEWAY})


def validate(resource: Resource[MeshTimeoutSpec]) -> Found:
    spec = resource.spec
    top = (spec.target_ref or WHOLE_MESH).kind
    lists = {"from": spec.from_, "to": spec.to, "rules": spec.rules}
    found: list[Violation] = []
    found += validate_top(
        spec.target_ref,
        kinds=(*PROXIES, *_OF_ROUTES_AND_GATEWAYS) if is_system_policy(resource) else PROXIES,
        is_inbound_policy=bool(spec.from_ or spec.rules),
        gateway_tags_allowed=is_system_policy(resource),
    )
    found += one_of_lists(tuple(lists), [name for name, items in lists.items() if items])
    found += _validate_from(spec.from_ or (), top)
    found += _validate_to(spec.to or (), top)
    for index, rule in enumerate(spec.rules or ()):
        found += at(f"rules[{index}]", _validate_rule(rule, top))
    return at("spec", found)


def _validate_from(items: Sequence[From], top: TargetRefKind) -> Found:
    if top in _OF_ROUTES_AND_GATEWAYS:
        return (Violation("from", "must not be defined"),) if items else ()
    return validate_items("from", items, (TargetRefKind.MESH,), partial(_validate_conf, top=top))


def _validate_to(items: Sequence[To], top: TargetRefKind) -> Found:
    kinds = [TargetRefKind.MESH, TargetRefKind.MESH_EXTERNAL_SERVICE]
    if top not in _OF_ROUTES_AND_GATEWAYS:
        kinds += [
            TargetRefKind.MESH_SERVICE,
            TargetRefKind.MESH_MULTI_ZONE_SERVICE,
            TargetRefKind.MESH_HTTP_ROUTE,
        ]
    return validate_items("to", items, kinds, partial(_validate_conf, top=top))


def _validate_rule(rule: Rule, top: TargetRefKind) -> list[Violation]:
    matches = rule.matches or ()
    found = [*validate_matches(matches, may_be_empty=False)]
    if any(match.spiffe_id for match in matches):
        found += at("default", _refuse_unconditional(rule.default))
    return [*found, *at("default", _validate_conf(rule.default, top))]


def _refuse_unconditional(conf: TimeoutConf) -> list[Violation]:
    """Envoy applies these before it knows the client."""
    text = (
        "can't be specified when matches contain spiffeID because this field cannot be "
        "conditioned on source identity"
    )
    http = conf.http or TimeoutHttp()
    values = {
        "connectionTimeout": conf.connection_timeout,
        "idleTimeout": conf.idle_timeout,
        "http.requestHeadersTimeout": http.request_headers_timeout,
        "http.maxStreamDuration": http.max_stream_duration,
        "http.maxConnectionDuration": http.max_connection_duration,
    }
    return [Violation(name, text) for name, duration in values.items() if duration is not None]


def _refuse_on_route(conf: TimeoutConf) -> list[Violation]:
    text = "can't be specified when top-level TargetRef is referencing MeshHTTPRoute"
    http = conf.http or TimeoutHttp()
    values = {
        "connectionTimeout": conf.connection_timeout,
        "idleTimeout": conf.idle_timeout,
        "http.maxStreamDuration": http.max_stream_duration,
        "http.maxConnectionDuration": http.max_connection_duration,
    }
    return [Violation(name, text) for name, duration in values.items() if duration is not None]


def _validate_conf(conf: TimeoutConf, top: TargetRefKind) -> list[Violation]:
    if conf == TimeoutConf():
        return [Violation("", "at least one timeout should be configured")]
    return [
        *(_refuse_on_route(conf) if top is TargetRefKind.MESH_HTTP_ROUTE else ()),
        *positive_duration("connectionTimeout", conf.connection_timeout),
        *not_negative("idleTimeout", conf.idle_timeout),
        *(at("http", _validate_http(conf.http)) if conf.http is not None else ()),
    ]


def _validate_http(http: TimeoutHttp) -> list[Violation]:
    """Kuma does not count `requestHeadersTimeout` as a timeout of this section."""
    durations = {
        "requestTimeout": http.request_timeout,
        "streamIdleTimeout": http.stream_idle_timeout,
        "maxStreamDuration": http.max_stream_duration,
        "maxConnectionDuration": http.max_connection_duration,
    }
    found: list[Violation] = []
    if not any(duration is not None for duration in durations.values()):
        found.append(Violation("", "at least one timeout in this section should be configured"))
    durations["requestHeadersTimeout"] = http.request_headers_timeout
    for name, duration in durations.items():
        found += not_negative(name, duration)
    return found
