"""MeshCircuitBreaker as users write it, and CircuitBreakerConf, what is left after merging."""

from pydantic import Field, StrictBool

from kuma.resources.spec import Duration, IntOrString, SpecModel, UInt32
from kuma.resources.target_ref import TargetRef


class ConnectionLimits(SpecModel):
    max_connection_pools: UInt32 | None = None
    max_connections: UInt32 | None = None
    max_pending_requests: UInt32 | None = None
    max_requests: UInt32 | None = None
    max_retries: UInt32 | None = None


class ConsecutiveFailures(SpecModel):
    consecutive: UInt32 | None = None


class SuccessRate(SpecModel):
    minimum_hosts: UInt32 | None = None
    request_volume: UInt32 | None = None
    standard_deviation_factor: IntOrString | None = None


class FailurePercentage(SpecModel):
    minimum_hosts: UInt32 | None = None
    request_volume: UInt32 | None = None
    threshold: UInt32 | None = None


class Detectors(SpecModel):
    failure_percentage: FailurePercentage | None = None
    gateway_failures: ConsecutiveFailures | None = None
    local_origin_failures: ConsecutiveFailures | None = None
    success_rate: SuccessRate | None = None
    total_failures: ConsecutiveFailures | None = None


class OutlierDetection(SpecModel):
    """Percentages are 0 to 100; `healthy_panic_threshold` may be a decimal in a string."""

    disabled: StrictBool | None = None
    interval: Duration | None = None
    base_ejection_time: Duration | None = None
    max_ejection_percent: UInt32 | None = None
    split_external_and_local_errors: StrictBool | None = None
    detectors: Detectors | None = None
    healthy_panic_threshold: IntOrString | None = None


class CircuitBreakerConf(SpecModel):
    connection_limits: ConnectionLimits | None = None
    outlier_detection: OutlierDetection | None = None


class To(SpecModel):
    target_ref: TargetRef
    default: CircuitBreakerConf = CircuitBreakerConf()


class From(SpecModel):
    target_ref: TargetRef
    default: CircuitBreakerConf = CircuitBreakerConf()


class Rule(SpecModel):
    default: CircuitBreakerConf = CircuitBreakerConf()


class MeshCircuitBreakerSpec(SpecModel):
    target_ref: TargetRef | None = None
    to: tuple[To, ...] | None = None
    from_: tuple[From, ...] | None = Field(default=None, alias="from")
    rules: tuple[Rule, ...] | None = None
