"""MeshCircuitBreaker as users write it, and CircuitBreakerConf, what is left after merging."""

from pydantic import Field, StrictBool

from kuma.resources.spec import Duration, IntOrString, NonNegative, SpecModel
from kuma.resources.target_ref import TargetRef


class ConnectionLimits(SpecModel):
    max_connection_pools: NonNegative | None = None
    """Connection pools to the service. Default: no limit."""
    max_connections: NonNegative | None = None
    """Connections to the service. Default: 1024."""
    max_pending_requests: NonNegative | None = None
    """Requests that wait for a connection. Default: 1024."""
    max_requests: NonNegative | None = None
    """Requests at a time. Default: 1024."""
    max_retries: NonNegative | None = None
    """Retries at a time. Default: 3."""


class ConsecutiveFailures(SpecModel):
    consecutive: NonNegative | None = None
    """Failures in a row after which the endpoint is ejected."""


class SuccessRate(SpecModel):
    minimum_hosts: NonNegative | None = None
    """Endpoints that must have enough requests. Default: 5."""
    request_volume: NonNegative | None = None
    """Requests that an endpoint needs within an interval to count. Default: 100."""
    standard_deviation_factor: IntOrString | None = None
    """An endpoint is ejected whose success rate is this many standard deviations below the
    mean. Default: 1.9."""


class FailurePercentage(SpecModel):
    minimum_hosts: NonNegative | None = None
    """Endpoints that must have enough requests. Default: 5."""
    request_volume: NonNegative | None = None
    """Requests that an endpoint needs within an interval to count. Default: 50."""
    threshold: NonNegative | None = None
    """Percentage of failures from which an endpoint is ejected. Default: 85."""


class Detectors(SpecModel):
    failure_percentage: FailurePercentage | None = None
    """Ejects endpoints that fail too often."""
    gateway_failures: ConsecutiveFailures | None = None
    """Counts 502, 503 and 504 in a row."""
    local_origin_failures: ConsecutiveFailures | None = None
    """Counts failures to connect, timeouts and resets in a row, if
    `splitExternalAndLocalErrors` is set."""
    success_rate: SuccessRate | None = None
    """Ejects endpoints that are much worse than the others."""
    total_failures: ConsecutiveFailures | None = None
    """Counts 5xx in a row, and failures to connect unless these are split off."""


class OutlierDetection(SpecModel):
    """Percentages are 0 to 100; `healthyPanicThreshold` may be a decimal in a string."""

    disabled: StrictBool | None = None
    """Switches outlier detection off."""
    interval: Duration | None = None
    """How often the detectors look. Default: 10s."""
    base_ejection_time: Duration | None = None
    """How long an endpoint is ejected, times the number of its ejections. Default: 30s."""
    max_ejection_percent: NonNegative | None = None
    """Largest share of endpoints that may be ejected at a time. Default: 10."""
    split_external_and_local_errors: StrictBool | None = None
    """Tell failures to connect from errors that the endpoint answers."""
    detectors: Detectors | None = None
    """What counts as failure; those not named are off."""
    healthy_panic_threshold: IntOrString | None = None
    """Percentage of healthy endpoints below which all are used again. Default: 50."""


class CircuitBreakerConf(SpecModel):
    connection_limits: ConnectionLimits | None = None
    """How much may be under way at a time."""
    outlier_detection: OutlierDetection | None = None
    """Leaves endpoints that fail out for a while."""


class To(SpecModel):
    target_ref: TargetRef
    """The destination: Mesh for all, or a service of any kind."""
    default: CircuitBreakerConf = CircuitBreakerConf()
    """The limits of calls to it."""


class From(SpecModel):
    target_ref: TargetRef
    """The clients: Mesh, that is all."""
    default: CircuitBreakerConf = CircuitBreakerConf()
    """The limits of calls to the application."""


class Rule(SpecModel):
    default: CircuitBreakerConf = CircuitBreakerConf()
    """The limits of calls to the application."""


class MeshCircuitBreakerSpec(SpecModel):
    target_ref: TargetRef | None = None
    """The proxies that the policy configures. Left out: all of the mesh."""
    to: tuple[To, ...] | None = None
    """For calls that these proxies make."""
    from_: tuple[From, ...] | None = Field(default=None, alias="from")
    """For calls that these proxies receive; `rules` is the newer form."""
    rules: tuple[Rule, ...] | None = None
    """For calls that these proxies receive."""
