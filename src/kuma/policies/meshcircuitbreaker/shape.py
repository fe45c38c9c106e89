"""CircuitBreakerConf -> limits and outlier detection of a cluster.

Envoy runs some detectors by default: those that a policy does not name are switched off, once it
configures outlier detection at all.
Source: https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/cluster/v3/outlier_detection.proto
"""

from decimal import Decimal

from envoy.config.cluster.v3.circuit_breaker_pb2 import CircuitBreakers
from envoy.config.cluster.v3.outlier_detection_pb2 import OutlierDetection as EnvoyOutliers
from google.protobuf.wrappers_pb2 import UInt32Value

from kuma.envoy.message import duration
from kuma.envoy.shaper import Shaper, Upstream
from kuma.plan.proxy import Destination, Inbound
from kuma.policies.meshcircuitbreaker.model import (
    CircuitBreakerConf,
    ConnectionLimits,
    ConsecutiveFailures,
    Detectors,
    FailurePercentage,
    OutlierDetection,
    SuccessRate,
)
from kuma.resources.spec import parse_decimal

ON, OFF = 100, 0  # percent of the detections that eject


class CircuitBreakerShaper(Shaper):
    kind = "MeshCircuitBreaker"

    def inbound_cluster(self, upstream: Upstream, inbound: Inbound) -> None:
        _shape(upstream, inbound.conf.get(CircuitBreakerConf))

    def destination_cluster(self, upstream: Upstream, destination: Destination) -> None:
        _shape(upstream, destination.conf.get(CircuitBreakerConf))


def _shape(upstream: Upstream, conf: CircuitBreakerConf | None) -> None:
    if conf is None:
        return
    cluster = upstream.cluster
    if conf.connection_limits is not None:
        _shape_limits(cluster.circuit_breakers.thresholds[0], conf.connection_limits)
    outliers = conf.outlier_detection
    if outliers is None or outliers.disabled:
        return
    _shape_outliers(cluster.outlier_detection, outliers)
    threshold = _decimal(outliers.healthy_panic_threshold)
    if threshold is not None:
        cluster.common_lb_config.healthy_panic_threshold.value = float(threshold)


def _shape_limits(thresholds: CircuitBreakers.Thresholds, limits: ConnectionLimits) -> None:
    _set(thresholds.max_connection_pools, limits.max_connection_pools)
    _set(thresholds.max_connections, limits.max_connections)
    _set(thresholds.max_pending_requests, limits.max_pending_requests)
    _set(thresholds.max_requests, limits.max_requests)
    _set(thresholds.max_retries, limits.max_retries)


def _shape_outliers(made: EnvoyOutliers, conf: OutlierDetection) -> None:
    if conf.interval is not None:
        made.interval.CopyFrom(duration(conf.interval))
    if conf.base_ejection_time is not None:
        made.base_ejection_time.CopyFrom(duration(conf.base_ejection_time))
    _set(made.max_ejection_percent, conf.max_ejection_percent)
    made.split_external_local_origin_errors = bool(conf.split_external_and_local_errors)
    _shape_detectors(made, conf.detectors or Detectors())


def _shape_detectors(made: EnvoyOutliers, conf: Detectors) -> None:
    _count(
        made.consecutive_5xx,
        made.enforcing_consecutive_5xx,
        conf.total_failures,
    )
    _count(
        made.consecutive_gateway_failure,
        made.enforcing_consecutive_gateway_failure,
        conf.gateway_failures,
    )
    _count(
        made.consecutive_local_origin_failure,
        made.enforcing_consecutive_local_origin_failure,
        conf.local_origin_failures,
    )
    _shape_success_rate(made, conf.success_rate)
    _shape_failure_percentage(made, conf.failure_percentage)


def _count(
    consecutive: UInt32Value, enforcing: UInt32Value, conf: ConsecutiveFailures | None
) -> None:
    failures = None if conf is None else conf.consecutive
    enforcing.value = OFF if failures is None else ON
    _set(consecutive, failures)


def _shape_success_rate(made: EnvoyOutliers, conf: SuccessRate | None) -> None:
    made.enforcing_success_rate.value = ON if conf else OFF
    made.enforcing_local_origin_success_rate.value = ON if conf else OFF
    if conf is None:
        return
    _set(made.success_rate_minimum_hosts, conf.minimum_hosts)
    _set(made.success_rate_request_volume, conf.request_volume)
    factor = _decimal(conf.standard_deviation_factor)
    if factor is not None:
        made.success_rate_stdev_factor.value = int(factor * 1000)  # in thousandths


def _shape_failure_percentage(made: EnvoyOutliers, conf: FailurePercentage | None) -> None:
    made.enforcing_failure_percentage.value = ON if conf else OFF
    made.enforcing_failure_percentage_local_origin.value = ON if conf else OFF
    if conf is None:
        return
    _set(made.failure_percentage_minimum_hosts, conf.minimum_hosts)
    _set(made.failure_percentage_request_volume, conf.request_volume)
    _set(made.failure_percentage_threshold, conf.threshold)


def _set(field: UInt32Value, number: int | None) -> None:
    if number is not None:
        field.value = number
        field.SetInParent()


def _decimal(raw: int | str | None) -> Decimal | None:
    return None if raw is None else parse_decimal(raw)


SHAPER = CircuitBreakerShaper()
