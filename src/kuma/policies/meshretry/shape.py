"""RetryConf -> the retry policy of a route, or the connection attempts of a TCP proxy.

Source: https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter
"""

from collections.abc import Iterable
from datetime import timedelta

from envoy.config.core.v3.base_pb2 import Metadata
from envoy.config.route.v3.route_components_pb2 import HeaderMatcher, RetryPolicy, Route
from envoy.extensions.retry.host.omit_host_metadata.v3.omit_host_metadata_config_pb2 import (
    OmitHostMetadataConfig,
)
from envoy.extensions.retry.host.previous_hosts.v3.previous_hosts_pb2 import PreviousHostsPredicate
from envoy.extensions.retry.priority.previous_priorities.v3.previous_priorities_config_pb2 import (
    PreviousPrioritiesConfig,
)

from kuma.envoy.endpoint import SUBSETS
from kuma.envoy.message import duration, pack, struct
from kuma.envoy.route import build_header_match
from kuma.envoy.shaper import OutboundChain, Shaper
from kuma.plan.protocol import Protocol
from kuma.plan.proxy import Outbound
from kuma.plan.route import HttpRoute, ValueKind, ValueMatch
from kuma.policies.meshretry.model import (
    HTTP_CONDITIONS,
    HTTP_METHODS,
    BackOff,
    GrpcRetryOn,
    HostPredicate,
    HostSelection,
    RateLimitedBackOff,
    ResetFormat,
    RetryConf,
    RetryGrpc,
    RetryHttp,
)
from kuma.resources.match import HeaderMatch

HTTP_DEFAULT = "gateway-error,connect-failure,refused-stream"
GRPC_DEFAULT = (
    "cancelled,connect-failure,gateway-error,refused-stream,reset,resource-exhausted,unavailable"
)
BASE_INTERVAL = timedelta(milliseconds=25)
STATUS_CODES = "retriable-status-codes"
HEADERS = "retriable-headers"
"""Differs from Kuma, which leaves this word out, without which Envoy looks at no response header."""

_GRPC_CONDITIONS = {
    # Differs from Kuma, which writes `canceled`, a word that Envoy does not know and ignores.
    GrpcRetryOn.CANCELED: "cancelled",
    GrpcRetryOn.DEADLINE_EXCEEDED: "deadline-exceeded",
    GrpcRetryOn.INTERNAL: "internal",
    GrpcRetryOn.RESOURCE_EXHAUSTED: "resource-exhausted",
    GrpcRetryOn.UNAVAILABLE: "unavailable",
}
_RESET_FORMATS = {
    ResetFormat.SECONDS: RetryPolicy.SECONDS,
    ResetFormat.UNIX_TIMESTAMP: RetryPolicy.UNIX_TIMESTAMP,
}


class RetryShaper(Shaper):
    kind = "MeshRetry"

    def outbound_chain(self, chain: OutboundChain) -> None:
        """Differs from Kuma: `tcp` holds for all that is not HTTP; there a service must say `tcp`."""
        conf = chain.outbound.conf.get(RetryConf)
        if chain.tcp is None or conf is None or conf.tcp is None:
            return
        if conf.tcp.max_connect_attempt is not None:
            chain.tcp.max_connect_attempts.value = conf.tcp.max_connect_attempt

    def outbound_route(self, route: Route, plan: HttpRoute, outbound: Outbound) -> None:
        """Differs from Kuma: `http` holds for protocol http2 too, which Kuma never retries."""
        conf = plan.conf.get(RetryConf)
        if conf is None or not route.HasField("route"):
            return
        grpc = outbound.protocol is Protocol.GRPC
        policy = build_grpc_policy(conf.grpc) if grpc else build_http_policy(conf.http)
        if policy is not None:
            route.route.retry_policy.CopyFrom(policy)


def build_http_policy(conf: RetryHttp | None) -> RetryPolicy | None:
    """None: no retries."""
    if conf is None or conf.num_retries == 0:
        return None
    retry_on = conf.retry_on or ()
    conditions = _http_conditions(retry_on)
    if conf.retriable_response_headers:
        conditions.append(HEADERS)
    policy = RetryPolicy(retry_on=",".join(conditions))
    policy.retriable_status_codes.extend(int(each) for each in retry_on if each.isdigit())
    policy.retriable_request_headers.extend(_methods(retry_on))
    policy.retriable_request_headers.extend(_headers(conf.retriable_request_headers))
    policy.retriable_headers.extend(_headers(conf.retriable_response_headers))
    _add_common(policy, conf)
    _add_host_selection(policy, conf.host_selection or ())
    if conf.host_selection_max_attempts is not None:
        policy.host_selection_retry_max_attempts = conf.host_selection_max_attempts
    return policy


def build_grpc_policy(conf: RetryGrpc | None) -> RetryPolicy | None:
    """None: no retries."""
    if conf is None or conf.num_retries == 0:
        return None
    chosen = ",".join(_GRPC_CONDITIONS[each] for each in conf.retry_on or ())
    policy = RetryPolicy(retry_on=chosen or GRPC_DEFAULT)
    _add_common(policy, conf)
    return policy


def _add_common(policy: RetryPolicy, conf: RetryHttp | RetryGrpc) -> None:
    if conf.num_retries is not None:
        policy.num_retries.value = conf.num_retries
    if conf.per_try_timeout is not None:
        policy.per_try_timeout.CopyFrom(duration(conf.per_try_timeout))
    if conf.back_off is not None:
        policy.retry_back_off.CopyFrom(_back_off(conf.back_off))
    limited = conf.rate_limited_back_off
    if limited is not None and limited.reset_headers:
        policy.rate_limited_retry_back_off.CopyFrom(_rate_limited(limited))


def _back_off(conf: BackOff) -> RetryPolicy.RetryBackOff:
    """Envoy refuses a longest pause below the first; they may come from two policies."""
    base = BASE_INTERVAL if conf.base_interval is None else conf.base_interval
    made = RetryPolicy.RetryBackOff(base_interval=duration(base))
    if conf.max_interval is not None:
        made.max_interval.CopyFrom(duration(max(conf.max_interval, base)))
    return made


def _rate_limited(conf: RateLimitedBackOff) -> RetryPolicy.RateLimitedRetryBackOff:
    made = RetryPolicy.RateLimitedRetryBackOff()
    for header in conf.reset_headers or ():
        made.reset_headers.add(name=header.name, format=_RESET_FORMATS[header.format])
    if conf.max_interval is not None:
        made.max_interval.CopyFrom(duration(conf.max_interval))
    return made


def _http_conditions(retry_on: Iterable[str]) -> list[str]:
    items = tuple(retry_on)
    named = [HTTP_CONDITIONS[each] for each in items if each in HTTP_CONDITIONS]
    chosen = named or HTTP_DEFAULT.split(",")
    if any(each.isdigit() for each in items):
        chosen.append(STATUS_CODES)
    return chosen


def _methods(retry_on: Iterable[str]) -> list[HeaderMatcher]:
    methods = [HTTP_METHODS[each] for each in retry_on if each in HTTP_METHODS]
    return [build_header_match(ValueMatch(":method", value=method)) for method in methods]


def _headers(matches: tuple[HeaderMatch, ...] | None) -> list[HeaderMatcher]:
    return [
        build_header_match(ValueMatch(each.name, ValueKind(each.type), each.value or ""))
        for each in matches or ()
    ]


def _add_host_selection(policy: RetryPolicy, selection: Iterable[HostSelection]) -> None:
    for each in selection:
        match each.predicate:
            case HostPredicate.OMIT_PREVIOUS_HOSTS:
                policy.retry_host_predicate.add(
                    name="envoy.retry_host_predicates.previous_hosts",
                    typed_config=pack(PreviousHostsPredicate()),
                )
            case HostPredicate.OMIT_HOSTS_WITH_TAGS:
                metadata = Metadata()
                metadata.filter_metadata[SUBSETS].CopyFrom(struct(each.tags or ()))
                policy.retry_host_predicate.add(
                    name="envoy.retry_host_predicates.omit_host_metadata",
                    typed_config=pack(OmitHostMetadataConfig(metadata_match=metadata)),
                )
            case HostPredicate.OMIT_PREVIOUS_PRIORITIES:
                config = PreviousPrioritiesConfig(update_frequency=each.update_frequency)
                policy.retry_priority.name = "envoy.retry_priorities.previous_priorities"
                policy.retry_priority.typed_config.CopyFrom(pack(config))


SHAPER = RetryShaper()
