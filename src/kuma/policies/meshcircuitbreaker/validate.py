"""What the schema of a MeshCircuitBreaker cannot say."""

from kuma.policies.constraints import (
    DESTINATIONS,
    PROXIES,
    Found,
    percentage,
    positive,
    positive_duration,
    whole_percentage,
)
from kuma.policies.lists import one_of_lists, validate_items, validate_top
from kuma.policies.meshcircuitbreaker.model import (
    CircuitBreakerConf,
    ConnectionLimits,
    Detectors,
    MeshCircuitBreakerSpec,
    OutlierDetection,
    SuccessRate,
)
from kuma.resources.resource import Resource
from kuma.resources.spec import parse_decimal
from kuma.resources.target_ref import TargetRefKind
from kuma.resources.violation import Violation, at


def validate(resource: Resource[MeshCircuitBreakerSpec]) -> Found:
    spec = resource.spec
    lists = {"from": spec.from_, "to": spec.to, "rules": spec.rules}
    found: list[Violation] = []
    found += validate_top(
        spec.target_ref,
        kinds=(*PROXIES, TargetRefKind.MESH_GATEWAY),
        is_inbound_policy=bool(spec.from_ or spec.rules),
        gateway_tags_allowed=True,
    )
    found += one_of_lists(tuple(lists), [name for name, items in lists.items() if items])
    for index, rule in enumerate(spec.rules or ()):
        # Kuma reports what is wrong in `rules` under `from`, and clients match on its paths.
        found += at(f"from[{index}].default", _validate_conf(rule.default))
    found += validate_items("from", spec.from_, (TargetRefKind.MESH,), _validate_conf)
    found += validate_items("to", spec.to, DESTINATIONS, _validate_conf)
    return at("spec", found)


def _validate_conf(conf: CircuitBreakerConf) -> list[Violation]:
    if conf == CircuitBreakerConf():
        text = "at least one of: 'connectionLimits' or 'outlierDetection' should be configured"
        return [Violation("", text)]
    found: list[Violation] = []
    if conf.connection_limits is not None:
        found += at("connectionLimits", _validate_limits(conf.connection_limits))
    if conf.outlier_detection is not None:
        found += at("outlierDetection", _validate_outlier_detection(conf.outlier_detection))
    return found


def _validate_limits(limits: ConnectionLimits) -> list[Violation]:
    return [
        *positive("maxConnections", limits.max_connections),
        *positive("maxConnectionPools", limits.max_connection_pools),
        *positive("maxPendingRequests", limits.max_pending_requests),
        *positive("maxRetries", limits.max_retries),
        *positive("maxRequests", limits.max_requests),
    ]


def _validate_outlier_detection(detection: OutlierDetection) -> list[Violation]:
    return [
        *positive_duration("interval", detection.interval),
        *positive_duration("baseEjectionTime", detection.base_ejection_time),
        *whole_percentage("maxEjectionPercent", detection.max_ejection_percent),
        *percentage("healthyPanicThreshold", detection.healthy_panic_threshold),
        *at("detectors", _validate_detectors(detection.detectors)),
    ]


def _validate_detectors(detectors: Detectors | None) -> list[Violation]:
    if detectors is None:
        return [Violation("", "must be defined")]
    if detectors == Detectors():
        text = (
            "must have at least one defined: totalFailures, gatewayFailures, "
            "localOriginFailures, successRate, failurePercentage"
        )
        return [Violation("", text)]
    found: list[Violation] = []
    for name, consecutive in (
        ("totalFailures", detectors.total_failures),
        ("gatewayFailures", detectors.gateway_failures),
        ("localOriginFailures", detectors.local_origin_failures),
    ):
        if consecutive is not None:
            found += positive(f"{name}.consecutive", consecutive.consecutive)
    if detectors.success_rate is not None:
        found += at("successRate", _validate_success_rate(detectors.success_rate))
    if (share := detectors.failure_percentage) is not None:
        found += positive("failurePercentage.minimumHosts", share.minimum_hosts)
        found += positive("failurePercentage.requestVolume", share.request_volume)
        found += whole_percentage("failurePercentage.threshold", share.threshold)
    return found


_LARGEST_FACTOR = 1_000_000
"""Far beyond what is useful, and so that Envoy's thousandths fit."""


def _validate_success_rate(rate: SuccessRate) -> list[Violation]:
    found = [
        *positive("minimumHosts", rate.minimum_hosts),
        *positive("requestVolume", rate.request_volume),
    ]
    if rate.standard_deviation_factor is None:
        return found
    factor = parse_decimal(rate.standard_deviation_factor)
    if factor is None:
        found.append(Violation("standardDeviationFactor", "invalid number"))
    elif factor <= 0:
        found.append(Violation("standardDeviationFactor", "must be greater than 0"))
    elif factor > _LARGEST_FACTOR:
        text = f"must be at most {_LARGEST_FACTOR}"
        found.append(Violation("standardDeviationFactor", text))
    return found
