"""MeshRetry as users write it, and RetryConf, what is left after merging."""

from enum import StrEnum

from kuma.resources.match import HeaderMatch, HeaderName
from kuma.resources.spec import Duration, Int32, Int64, NonNegative, SpecModel, StringMap
from kuma.resources.target_ref import TargetRef


class RetryTcp(SpecModel):
    max_connect_attempt: NonNegative | None = None
    """How often a connection is tried."""


class BackOff(SpecModel):
    base_interval: Duration | None = None
    """Pause before the first retry, doubled for each further one. Default: 25ms."""
    max_interval: Duration | None = None
    """Longest pause. Default: ten times the base."""


class ResetFormat(StrEnum):
    SECONDS = "Seconds"
    UNIX_TIMESTAMP = "UnixTimestamp"


class ResetHeader(SpecModel):
    name: HeaderName
    """Name of the header, in lower case."""
    format: ResetFormat
    """Whether it says a number of seconds or a time."""


class RateLimitedBackOff(SpecModel):
    max_interval: Duration | None = None
    """Longest pause. Default: 300s."""
    reset_headers: tuple[ResetHeader, ...] | None = None
    """Response headers that say how long to wait; the first that is there decides."""


class HostPredicate(StrEnum):
    OMIT_PREVIOUS_HOSTS = "OmitPreviousHosts"
    OMIT_HOSTS_WITH_TAGS = "OmitHostsWithTags"
    OMIT_PREVIOUS_PRIORITIES = "OmitPreviousPriorities"


class HostSelection(SpecModel):
    predicate: HostPredicate
    """Which endpoints a retry avoids."""
    tags: StringMap | None = None
    """Tags of the endpoints to avoid, for OmitHostsWithTags."""
    update_frequency: Int32 = 2
    """Attempts after which priorities are counted anew, for OmitPreviousPriorities."""


HTTP_CONDITIONS = {
    "5xx": "5xx",
    "GatewayError": "gateway-error",
    "Reset": "reset",
    "Retriable4xx": "retriable-4xx",
    "ConnectFailure": "connect-failure",
    "EnvoyRatelimited": "envoy-ratelimited",
    "RefusedStream": "refused-stream",
    "Http3PostConnectFailure": "http3-post-connect-failure",
}
"""Conditions of `retryOn` in HTTP, with Envoy's name for each."""

HTTP_METHODS = {
    f"HttpMethod{method.capitalize()}": method
    for method in ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
}
"""Methods of `retryOn`, to which retries are then limited."""


class RetryHttp(SpecModel):
    num_retries: NonNegative | None = None
    """How often a request is repeated. Default: 1; 0: never."""
    per_try_timeout: Duration | None = None
    """How long one attempt may take."""
    back_off: BackOff | None = None
    """Pauses between attempts."""
    rate_limited_back_off: RateLimitedBackOff | None = None
    """Pauses that the server asks for."""
    retry_on: tuple[str, ...] | None = None
    """When to repeat: `5xx`, `GatewayError`, `Reset`, `Retriable4xx`, `ConnectFailure`,
    `EnvoyRatelimited`, `RefusedStream`, `Http3PostConnectFailure`, a status code, or a
    method such as `HttpMethodGet`, which limits retries to it."""
    retriable_response_headers: tuple[HeaderMatch, ...] | None = None
    """Repeat if the response carries one of these."""
    retriable_request_headers: tuple[HeaderMatch, ...] | None = None
    """Repeat only if the request carries one of these."""
    host_selection: tuple[HostSelection, ...] | None = None
    """Which endpoints a retry avoids."""
    host_selection_max_attempts: Int64 | None = None
    """How often another endpoint is looked for before any is taken."""


class GrpcRetryOn(StrEnum):
    CANCELED = "Canceled"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    INTERNAL = "Internal"
    RESOURCE_EXHAUSTED = "ResourceExhausted"
    UNAVAILABLE = "Unavailable"


class RetryGrpc(SpecModel):
    num_retries: NonNegative | None = None
    """How often a call is repeated. Default: 1; 0: never."""
    per_try_timeout: Duration | None = None
    """How long one attempt may take."""
    back_off: BackOff | None = None
    """Pauses between attempts."""
    rate_limited_back_off: RateLimitedBackOff | None = None
    """Pauses that the server asks for."""
    retry_on: tuple[GrpcRetryOn, ...] | None = None
    """The statuses after which a call is repeated."""


class RetryConf(SpecModel):
    tcp: RetryTcp | None = None
    """For protocol tcp."""
    http: RetryHttp | None = None
    """For protocols http and http2."""
    grpc: RetryGrpc | None = None
    """For protocol grpc."""


class To(SpecModel):
    target_ref: TargetRef
    """The destination: Mesh for all, a service of any kind, or a MeshHTTPRoute."""
    default: RetryConf = RetryConf()
    """The retries of calls to it."""


class MeshRetrySpec(SpecModel):
    target_ref: TargetRef | None = None
    """The proxies that the policy configures. Left out: all of the mesh."""
    to: tuple[To, ...] | None = None
    """For calls that these proxies make."""
