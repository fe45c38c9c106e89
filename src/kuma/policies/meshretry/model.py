"""MeshRetry as users write it, and RetryConf, what is left after merging."""

from enum import StrEnum

from kuma.resources.match import HeaderMatch, HeaderName
from kuma.resources.spec import Duration, Int32, SpecModel, StringMap, UInt32
from kuma.resources.target_ref import TargetRef


class RetryTcp(SpecModel):
    max_connect_attempt: UInt32 | None = None


class BackOff(SpecModel):
    base_interval: Duration | None = None
    max_interval: Duration | None = None


class ResetFormat(StrEnum):
    SECONDS = "Seconds"
    UNIX_TIMESTAMP = "UnixTimestamp"


class ResetHeader(SpecModel):
    name: HeaderName
    format: ResetFormat


class RateLimitedBackOff(SpecModel):
    max_interval: Duration | None = None
    reset_headers: tuple[ResetHeader, ...] | None = None


class HostPredicate(StrEnum):
    OMIT_PREVIOUS_HOSTS = "OmitPreviousHosts"
    OMIT_HOSTS_WITH_TAGS = "OmitHostsWithTags"
    OMIT_PREVIOUS_PRIORITIES = "OmitPreviousPriorities"


class HostSelection(SpecModel):
    """`update_frequency` counts attempts; it matters to OmitPreviousPriorities only."""

    predicate: HostPredicate
    tags: StringMap | None = None
    update_frequency: Int32 = 2


class RetryHttp(SpecModel):
    """`retry_on` holds names of conditions, methods as `HttpMethodGet`, and status codes."""

    num_retries: UInt32 | None = None
    per_try_timeout: Duration | None = None
    back_off: BackOff | None = None
    rate_limited_back_off: RateLimitedBackOff | None = None
    retry_on: tuple[str, ...] | None = None
    retriable_response_headers: tuple[HeaderMatch, ...] | None = None
    retriable_request_headers: tuple[HeaderMatch, ...] | None = None
    host_selection: tuple[HostSelection, ...] | None = None
    host_selection_max_attempts: int | None = None


class GrpcRetryOn(StrEnum):
    CANCELED = "Canceled"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    INTERNAL = "Internal"
    RESOURCE_EXHAUSTED = "ResourceExhausted"
    UNAVAILABLE = "Unavailable"


class RetryGrpc(SpecModel):
    num_retries: UInt32 | None = None
    per_try_timeout: Duration | None = None
    back_off: BackOff | None = None
    rate_limited_back_off: RateLimitedBackOff | None = None
    retry_on: tuple[GrpcRetryOn, ...] | None = None


class RetryConf(SpecModel):
    tcp: RetryTcp | None = None
    http: RetryHttp | None = None
    grpc: RetryGrpc | None = None


class To(SpecModel):
    target_ref: TargetRef
    default: RetryConf = RetryConf()


class MeshRetrySpec(SpecModel):
    target_ref: TargetRef | None = None
    to: tuple[To, ...] | None = None
