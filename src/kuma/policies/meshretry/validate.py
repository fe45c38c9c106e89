"""What the schema of a MeshRetry cannot say."""

from http import HTTPStatus

from kuma.policies.constraints import (
    PROXIES,
    Found,
    header_matches,
    is_system_policy,
    not_negative,
    positive_duration,
)
from kuma.policies.lists import validate_top
from kuma.policies.meshretry.model import (
    HTTP_CONDITIONS,
    HTTP_METHODS,
    BackOff,
    HostPredicate,
    HostSelection,
    MeshRetrySpec,
    RateLimitedBackOff,
    RetryConf,
    RetryGrpc,
    RetryHttp,
    RetryTcp,
)
from kuma.resources.resource import Resource
from kuma.resources.target_ref import WHOLE_MESH, TargetRefKind, validate_target_ref
from kuma.resources.violation import Violation, at

_OF_ROUTES_AND_GATEWAYS = frozenset({TargetRefKind.MESH_HTTP_ROUTE, TargetRefKind.MESH_GATEWAY})

_STATUS_CODES = frozenset(str(status.value) for status in HTTPStatus)


def validate(resource: Resource[MeshRetrySpec]) -> Found:
    spec = resource.spec
    top = (spec.target_ref or WHOLE_MESH).kind
    kinds = [TargetRefKind.MESH, TargetRefKind.MESH_EXTERNAL_SERVICE]
    if top not in _OF_ROUTES_AND_GATEWAYS:
        kinds += [
            TargetRefKind.MESH_SERVICE,
            TargetRefKind.MESH_MULTI_ZONE_SERVICE,
            TargetRefKind.MESH_HTTP_ROUTE,
        ]
    found: list[Violation] = []
    found += validate_top(
        spec.target_ref,
        kinds=(*PROXIES, *_OF_ROUTES_AND_GATEWAYS) if is_system_policy(resource) else PROXIES,
        gateway_tags_allowed=is_system_policy(resource),
    )
    for index, item in enumerate(spec.to or ()):
        found += at(f"to[{index}].targetRef", validate_target_ref(item.target_ref, kinds=kinds))
        # Kuma has the extra `conf` in these paths, and clients match on them.
        found += at(f"to[{index}].default.conf", _validate_conf(item.default))
    return at("spec", found)


def _validate_conf(conf: RetryConf) -> list[Violation]:
    if conf == RetryConf():
        return [Violation("", "at least one of the 'tcp', 'http', 'grpc' must be specified")]
    found: list[Violation] = []
    if conf.tcp is not None:
        found += at("tcp", _validate_tcp(conf.tcp))
    if conf.http is not None:
        found += at("http", _validate_http(conf.http))
    if conf.grpc is not None:
        found += at("grpc", _validate_grpc(conf.grpc))
    return found


def _validate_tcp(tcp: RetryTcp) -> Found:
    if tcp.max_connect_attempt is None:
        return (Violation("", "must not be empty"),)
    if tcp.max_connect_attempt == 0:
        return (Violation("maxConnectAttempt", "must be greater than 0"),)
    return ()


def _validate_http(http: RetryHttp) -> list[Violation]:
    found: list[Violation] = []
    if http.model_copy(update={"host_selection_max_attempts": None}) == RetryHttp():
        found.append(Violation("", "must not be empty"))
    found += not_negative("perTryTimeout", http.per_try_timeout)
    found += _validate_back_offs(http.back_off, http.rate_limited_back_off)
    for field, headers in (
        ("retriableResponseHeaders", http.retriable_response_headers),
        ("retriableRequestHeaders", http.retriable_request_headers),
    ):
        found += header_matches(field, headers, ignores_values=True)
    for index, condition in enumerate(http.retry_on or ()):
        if condition not in HTTP_CONDITIONS.keys() | HTTP_METHODS.keys() | _STATUS_CODES:
            found.append(Violation(f"retryOn[{index}]", f"unknown item '{condition}'"))
    return [*found, *_validate_host_selection(http.host_selection or ())]


def _validate_grpc(grpc: RetryGrpc) -> list[Violation]:
    if grpc == RetryGrpc():
        return [Violation("", "must not be empty")]
    return [
        *not_negative("perTryTimeout", grpc.per_try_timeout),
        *_validate_back_offs(grpc.back_off, grpc.rate_limited_back_off),
    ]


def _validate_back_offs(
    back_off: BackOff | None, rate_limited: RateLimitedBackOff | None
) -> list[Violation]:
    found: list[Violation] = []
    # Differs from Kuma, which takes intervals of zero, and Envoy then refuses the route.
    if back_off is not None and back_off == BackOff():
        found.append(Violation("backOff", "must not be empty"))
    if back_off is not None:
        found += positive_duration("backOff.baseInterval", back_off.base_interval)
        found += positive_duration("backOff.maxInterval", back_off.max_interval)
    if rate_limited is None:
        return found
    longest = rate_limited.max_interval
    if longest is not None and longest.total_seconds() <= 0:
        text = "must be defined and greater than zero"
        found.append(Violation("rateLimitedBackOff.maxInterval", text))
    if rate_limited.reset_headers is None:
        found.append(Violation("rateLimitedBackOff.resetHeaders", "must be defined"))
    return found


def _validate_host_selection(predicates: tuple[HostSelection, ...]) -> list[Violation]:
    found: list[Violation] = []
    seen = False
    for index, each in enumerate(predicates):
        path = f"hostSelection[{index}]"
        if each.predicate is HostPredicate.OMIT_HOSTS_WITH_TAGS and each.tags is None:
            found.append(Violation(f"{path}.tags", "must be defined"))
        if each.predicate is not HostPredicate.OMIT_PREVIOUS_PRIORITIES:
            continue
        if seen:
            text = f"{each.predicate} must only be specified once"
            found.append(Violation(f"{path}.predicate", text))
        if each.update_frequency <= 0:
            text = "must be defined and greater than zero"
            found.append(Violation(f"{path}.updateFrequency", text))
        seen = True
    return found
