"""What a connection manager reports, and to whom: the tracing of Envoy for each of the providers.

Source: names and tags as seen in Kuma's configuration.
https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/observability/tracing
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from envoy.config.core.v3.base_pb2 import OUTBOUND, TrafficDirection
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.trace.v3.datadog_pb2 import DatadogConfig
from envoy.config.trace.v3.http_tracer_pb2 import Tracing
from envoy.config.trace.v3.opentelemetry_pb2 import OpenTelemetryConfig
from envoy.config.trace.v3.zipkin_pb2 import ZipkinConfig
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from envoy.type.tracing.v3.custom_tag_pb2 import CustomTag
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import BoolValue

from kuma.envoy.endpoint import SERVICE
from kuma.envoy.listener import TAGS_METADATA
from kuma.envoy.message import duration, pack
from kuma.kit.value import value
from kuma.plan import names
from kuma.plan.collector import Collector
from kuma.plan.reporter import Reporter
from kuma.plan.signal import Signal
from kuma.policies.addresses import parse_url
from kuma.policies.meshtrace.model import (
    Backend,
    BackendType,
    Tag,
    Trace,
    TraceConf,
    ZipkinBackend,
    ZipkinVersion,
)
from kuma.resources.spec import IntOrString, parse_decimal

_PROVIDERS: Mapping[BackendType, str] = {
    BackendType.ZIPKIN: "zipkin",
    BackendType.DATADOG: "datadog",
    BackendType.OPEN_TELEMETRY: "opentelemetry",
}
_VERSIONS = {
    ZipkinVersion.HTTP_JSON: ZipkinConfig.HTTP_JSON,
    ZipkinVersion.HTTP_PROTO: ZipkinConfig.HTTP_PROTO,
}
_Tracing = HttpConnectionManager.Tracing
_TIMEOUT = duration(timedelta(seconds=10))
"""Of one request over HTTP. Source: Kuma."""


@value
class Traced:
    """`collector` is that of OpenTelemetry; its resource may be elsewhere. `is_unified`: how its cluster
    is called."""

    trace: Trace
    collector: Collector | None = None
    is_unified: bool = False

    @property
    def is_piped(self) -> bool:
        """Whether kuma-dp takes the spans, which it does over gRPC."""
        return bool(self.collector and self.collector.name and self.trace.reporter.pipes)

    @property
    def cluster(self) -> str:
        backend, otlp = self.trace.backend, self.collector
        provider = _PROVIDERS[backend.type]
        if not self.is_unified:
            return f"meshtrace:{provider}"
        if otlp is not None:
            return names.unified_collector("meshtrace_otel", otlp.label)
        chosen = backend.zipkin if backend.type is BackendType.ZIPKIN else backend.datadog
        return names.unified_collector(
            f"meshtrace_{provider}", "" if chosen is None else chosen.url
        )


def build_tracing(traced: Traced, service: str) -> _Tracing:
    """`service` is what Datadog knows the reporting service as."""
    trace = traced.trace
    made = _Tracing(
        spawn_upstream_span=BoolValue(value=False),
        custom_tags=_custom_tags(trace.conf, trace.reporter),
        provider=_provider(traced, service),
    )
    sampling = trace.conf.sampling
    if sampling is not None:
        for field, share in (
            (made.overall_sampling, sampling.overall),
            (made.client_sampling, sampling.client),
            (made.random_sampling, sampling.random),
        ):
            if share is not None:
                field.SetInParent()
                field.value = _percent(share)
    return made


def service_of(listener: Listener, manager: HttpConnectionManager, trace: Trace) -> str:
    """A destination that is no service by tags is called as its statistics are."""
    service, datadog = trace.reporter.service, trace.backend.datadog
    if datadog is None or not datadog.split_service:
        return service
    parts = [service, TrafficDirection.Name(listener.traffic_direction)]
    if listener.traffic_direction == OUTBOUND:
        tags = listener.metadata.filter_metadata[TAGS_METADATA].fields
        parts.append(tags[SERVICE].string_value if SERVICE in tags else manager.stat_prefix)
    return "_".join(parts)


def _provider(traced: Traced, service: str) -> Tracing.Http:
    backend = traced.trace.backend
    cluster = traced.cluster
    config: Message
    match backend:
        case Backend(type=BackendType.ZIPKIN, zipkin=ZipkinBackend() as zipkin):
            config = _zipkin(zipkin, cluster)
        case Backend(type=BackendType.DATADOG):
            config = DatadogConfig(collector_cluster=cluster, service_name=service)
        case _:
            config = _open_telemetry(traced, cluster)
    name = f"envoy.tracers.{_PROVIDERS[backend.type]}"
    return Tracing.Http(name=name, typed_config=pack(config))


def _open_telemetry(traced: Traced, cluster: str) -> OpenTelemetryConfig:
    reporter, collector = traced.trace.reporter, traced.collector
    config = OpenTelemetryConfig(service_name=reporter.service)
    if collector is not None and collector.is_http and not traced.is_piped:
        uri = config.http_service.http_uri
        uri.uri, uri.cluster = collector.url(Signal.TRACES, local=reporter.host_ip), cluster
        uri.timeout.CopyFrom(_TIMEOUT)
    else:
        config.grpc_service.envoy_grpc.cluster_name = cluster
    return config


def _zipkin(backend: ZipkinBackend, cluster: str) -> ZipkinConfig:
    url = parse_url(backend.url)
    return ZipkinConfig(
        collector_cluster=cluster,
        collector_endpoint="" if url is None else url.zipkin_target,
        collector_hostname="" if url is None else url.authority,
        collector_endpoint_version=_VERSIONS[backend.api_version],
        trace_id_128bit=backend.trace_id128bit,
        shared_span_context=BoolValue(value=backend.shared_span_context),
    )


def _custom_tags(conf: TraceConf, reporter: Reporter) -> Iterator[CustomTag]:
    """Those of the user go before the proxy's own of the same name."""
    named = conf.tags or ()
    yield from map(_custom_tag, named)
    taken = {tag.name for tag in named}
    for name, text in _own_tags(reporter):
        if text and name not in taken:
            yield CustomTag(tag=name, literal=CustomTag.Literal(value=text))


def _own_tags(reporter: Reporter) -> Iterable[tuple[str, str]]:
    return (
        ("kuma.mesh", reporter.mesh),
        ("kuma.zone", reporter.zone),
        ("kuma.workload", reporter.workload),
    )


def _custom_tag(tag: Tag) -> CustomTag:
    if tag.header is None:
        return CustomTag(tag=tag.name, literal=CustomTag.Literal(value=tag.literal or ""))
    header = CustomTag.Header(name=tag.header.name, default_value=tag.header.default or "")
    return CustomTag(tag=tag.name, request_header=header)


def _percent(share: IntOrString) -> float:
    return float(parse_decimal(share) or 0)
