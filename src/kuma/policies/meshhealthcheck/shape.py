"""HealthCheckConf -> the health check of a destination's cluster.

The destination's protocol chooses the check; the one for TCP stands in for one that is disabled.
Differs from Kuma: destinations of protocol tls and kafka have the check for TCP; none there.
Source: https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/core/v3/health_check.proto
"""

from datetime import timedelta

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.config.core.v3.health_check_pb2 import HealthCheck
from envoy.extensions.health_check.event_sinks.file.v3.file_pb2 import HealthCheckEventFileSink
from envoy.type.v3.http_pb2 import CodecClientType
from envoy.type.v3.range_pb2 import Int64Range

from kuma.envoy.headers import build_additions
from kuma.envoy.message import duration, pack
from kuma.envoy.shaper import Shaper, Upstream
from kuma.plan.protocol import Protocol
from kuma.plan.proxy import Destination
from kuma.policies.meshhealthcheck.model import (
    GrpcHealthCheck,
    HealthCheckConf,
    HttpHealthCheck,
    TcpHealthCheck,
)
from kuma.resources.spec import parse_decimal

INTERVAL = timedelta(minutes=1)
TIMEOUT = timedelta(seconds=15)
UNHEALTHY_THRESHOLD = 5
HEALTHY_THRESHOLD = 1
PATH = "/"

EVENT_SINK = "envoy.health_check.event_sinks.file"

_Check = TcpHealthCheck | HttpHealthCheck | GrpcHealthCheck


class HealthCheckShaper(Shaper):
    kind = "MeshHealthCheck"

    def destination_cluster(self, upstream: Upstream, destination: Destination) -> None:
        conf = destination.conf.get(HealthCheckConf)
        if conf is None:
            return
        _shape_panic(upstream.cluster, conf)
        check = choose_check(conf, destination.protocol)
        if check is not None:
            upstream.cluster.health_checks.append(build_check(conf, check, destination.protocol))


def choose_check(conf: HealthCheckConf, protocol: Protocol) -> _Check | None:
    """None: endpoints are not asked."""
    wanted: _Check | None = conf.tcp
    if protocol is Protocol.GRPC:
        wanted = conf.grpc
    elif protocol.is_http:
        wanted = conf.http
    if wanted is not None and wanted.disabled:
        wanted = conf.tcp
    return None if wanted is None or wanted.disabled else wanted


def build_check(conf: HealthCheckConf, check: _Check, protocol: Protocol) -> HealthCheck:
    made = HealthCheck(
        interval=duration(INTERVAL if conf.interval is None else conf.interval),
        timeout=duration(TIMEOUT if conf.timeout is None else conf.timeout),
        interval_jitter_percent=conf.interval_jitter_percent or 0,
        always_log_health_check_failures=bool(conf.always_log_health_check_failures),
    )
    made.unhealthy_threshold.value = conf.unhealthy_threshold or UNHEALTHY_THRESHOLD
    made.healthy_threshold.value = conf.healthy_threshold or HEALTHY_THRESHOLD
    _shape_optional(made, conf)
    match check:
        case TcpHealthCheck():
            made.tcp_health_check.CopyFrom(_tcp(check))
        case HttpHealthCheck():
            made.http_health_check.CopyFrom(_http(check, protocol))
        case GrpcHealthCheck():
            made.grpc_health_check.service_name = check.service_name or ""
            made.grpc_health_check.authority = check.authority or ""
    return made


def _shape_optional(made: HealthCheck, conf: HealthCheckConf) -> None:
    for field, length in (
        (made.initial_jitter, conf.initial_jitter),
        (made.interval_jitter, conf.interval_jitter),
        (made.no_traffic_interval, conf.no_traffic_interval),
    ):
        if length is not None:
            field.CopyFrom(duration(length))
    if conf.reuse_connection is not None:
        made.reuse_connection.value = conf.reuse_connection
    if conf.event_log_path is not None:
        sink = HealthCheckEventFileSink(event_log_path=conf.event_log_path)
        made.event_logger.append(TypedExtensionConfig(name=EVENT_SINK, typed_config=pack(sink)))


def _tcp(conf: TcpHealthCheck) -> HealthCheck.TcpHealthCheck:
    """Kuma's reference calls the texts Base64, but nothing there decodes them. An empty text, which
    Envoy refuses, asks for nothing."""
    made = HealthCheck.TcpHealthCheck()
    if conf.send:
        made.send.text = _hex(conf.send)
    for text in conf.receive or ():
        if text:
            made.receive.add(text=_hex(text))
    return made


def _http(conf: HttpHealthCheck, protocol: Protocol) -> HealthCheck.HttpHealthCheck:
    return HealthCheck.HttpHealthCheck(
        path=PATH if conf.path is None else conf.path,
        request_headers_to_add=build_additions(conf.request_headers_to_add),
        expected_statuses=[
            Int64Range(start=status, end=status + 1) for status in conf.expected_statuses or ()
        ],
        codec_client_type=CodecClientType.HTTP2 if protocol.is_http2 else CodecClientType.HTTP1,
    )


def _hex(text: str) -> str:
    return text.encode().hex()


def _shape_panic(cluster: Cluster, conf: HealthCheckConf) -> None:
    threshold = conf.healthy_panic_threshold
    parsed = None if threshold is None else parse_decimal(threshold)
    if parsed is not None:
        cluster.common_lb_config.healthy_panic_threshold.value = float(parsed)
    if conf.fail_traffic_on_panic is not None:
        zone_aware = cluster.common_lb_config.zone_aware_lb_config
        zone_aware.fail_traffic_on_panic = conf.fail_traffic_on_panic


SHAPER = HealthCheckShaper()
