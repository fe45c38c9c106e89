"""MeshHealthCheck as users write it, and HealthCheckConf, what is left after merging."""

from pydantic import StrictBool

from kuma.resources.headers import HeaderAdditions
from kuma.resources.spec import Duration, Int32, IntOrString, SpecModel
from kuma.resources.target_ref import TargetRef


class TcpHealthCheck(SpecModel):
    """Texts are sent and expected as they are written, in UTF-8."""

    disabled: StrictBool | None = None
    """Whether to leave this check out."""
    send: str | None = None
    """What is sent. Left out: a connection that is accepted is enough."""
    receive: tuple[str, ...] | None = None
    """Texts that must be found in the answer in this order, with anything between them."""


class HttpHealthCheck(SpecModel):
    disabled: StrictBool | None = None
    """Whether to leave this check out; then `tcp`, if it is there, takes its place."""
    path: str | None = None
    """The path that is requested. Default: `/`."""
    request_headers_to_add: HeaderAdditions | None = None
    """Headers of the requests."""
    expected_statuses: tuple[Int32, ...] | None = None
    """Statuses that count as healthy. Default: 200."""


class GrpcHealthCheck(SpecModel):
    """Source: https://github.com/grpc/grpc/blob/master/doc/health-checking.md"""

    disabled: StrictBool | None = None
    """Whether to leave this check out; then `tcp`, if it is there, takes its place."""
    service_name: str | None = None
    """The service that is asked about. Default: the server as a whole."""
    authority: str | None = None
    """The `:authority` of the requests. Default: the name of the destination."""


class HealthCheckConf(SpecModel):
    """The destination's protocol chooses among `tcp`, `http` and `grpc`."""

    interval: Duration | None = None
    """Time between two checks. Default: 1m."""
    timeout: Duration | None = None
    """Time for an answer. Default: 15s."""
    unhealthy_threshold: Int32 | None = None
    """Failures in a row that make an endpoint unhealthy. Default: 5."""
    healthy_threshold: Int32 | None = None
    """Successes in a row that make an endpoint healthy again. Default: 1."""
    initial_jitter: Duration | None = None
    """The first check waits for a random time up to this."""
    interval_jitter: Duration | None = None
    """Every interval is longer by a random time up to this."""
    interval_jitter_percent: Int32 | None = None
    """Every interval is longer by a random part of itself up to this percentage, 0 to 100."""
    healthy_panic_threshold: IntOrString | None = None
    """If fewer endpoints than this percentage, 0 to 100, are healthy, all are used. Default: 50.
    Deprecated: MeshCircuitBreaker has it."""
    fail_traffic_on_panic: StrictBool | None = None
    """Whether requests fail, rather than go to all endpoints, while too few are healthy."""
    event_log_path: str | None = None
    """The file, on the proxy's machine, to which Envoy logs how endpoints change."""
    always_log_health_check_failures: StrictBool | None = None
    """Whether the log has every failure, not only the first one in a row. Default: false."""
    no_traffic_interval: Duration | None = None
    """Time between two checks while the destination has never been sent anything; goes before
    `interval` then. Default: 1m."""
    tcp: TcpHealthCheck | None = None
    """The check of destinations that do not speak HTTP."""
    http: HttpHealthCheck | None = None
    """The check of destinations that speak HTTP."""
    grpc: GrpcHealthCheck | None = None
    """The check of destinations that speak gRPC."""
    reuse_connection: StrictBool | None = None
    """Whether checks share a connection. Default: true."""


class To(SpecModel):
    target_ref: TargetRef
    """The destinations."""
    default: HealthCheckConf = HealthCheckConf()
    """How their endpoints are checked."""


class MeshHealthCheckSpec(SpecModel):
    target_ref: TargetRef | None = None
    """The proxies that the policy applies to. Default: all of the mesh."""
    to: tuple[To, ...] | None = None
    """What holds for traffic that the proxies send."""
