"""Trace -> tracing of every connection manager of a proxy, and the cluster of the collector.

    listener: connection manager ── span ──> cluster meshtrace:<provider> ──> collector     report.py

Differs from Kuma: the collector's certificate is verified, against the CAs of the proxy's machine;
and `type` alone says which backend is used, where several are described.
"""

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)

from kuma.envoy.cluster import build_destination, build_piped, finish
from kuma.envoy.finished import Finished, Made, Purpose
from kuma.envoy.listener import CONNECTION_MANAGER
from kuma.envoy.message import as_resource, pack
from kuma.envoy.shaper import Shaper
from kuma.envoy.snapshot import TypeUrl
from kuma.kit.slots import Slots
from kuma.plan import names
from kuma.plan.collector import Collectors
from kuma.plan.endpoint import Endpoint
from kuma.plan.piped import Piped
from kuma.plan.protocol import Protocol
from kuma.plan.proxy import Destination, Resolved
from kuma.plan.tls import ExternalTls
from kuma.policies.addresses import HTTPS, parse_url
from kuma.policies.collectors import find_collector
from kuma.policies.meshtrace.model import BackendType, OpenTelemetryBackend, Trace
from kuma.policies.meshtrace.report import Traced, build_tracing, service_of

TRACED = frozenset({Purpose.INBOUND, Purpose.OUTBOUND})


class TraceShaper(Shaper):
    kind = "MeshTrace"

    def finish(self, made: Made, conf: Slots) -> Finished:
        traced = _traced(conf)
        if traced is None or made.purpose not in TRACED:
            return Finished((made,))
        if made.resource.type_url is not TypeUrl.LISTENER:
            return Finished((made,))
        listener = Listener.FromString(made.resource.body)
        if not trace_listener(listener, traced):
            return Finished((made,))
        resource = as_resource(TypeUrl.LISTENER, listener.name, listener)
        return Finished((Made(made.purpose, resource),))

    def add(self, conf: Slots, *, system_ca_path: str = "") -> Finished:
        traced = _traced(conf)
        cluster = None if traced is None else _cluster(traced, conf, system_ca_path)
        if cluster is None:
            return Finished(())
        cluster.alt_stat_name = names.alternative(cluster.name)
        resource = as_resource(TypeUrl.CLUSTER, cluster.name, cluster)
        return Finished((Made(Purpose.TRACE, resource),))


def _traced(conf: Slots) -> Traced | None:
    """None: nothing is, or not before the resource that describes the collector exists."""
    trace, known = conf.get(Trace), conf.get(Collectors) or Collectors()
    if trace is None or trace.backend.type is not BackendType.OPEN_TELEMETRY:
        return None if trace is None else Traced(trace, is_unified=known.is_unified)
    found = find_collector(trace.backend.open_telemetry or OpenTelemetryBackend(), known)
    return None if found is None else Traced(trace, found, known.is_unified)


def _cluster(traced: Traced, conf: Slots, ca_path: str) -> Cluster | None:
    """None: there is nothing to connect to, which validation refuses."""
    piped = conf.get(Piped)
    if traced.is_piped and traced.collector is not None and piped is not None:
        return build_piped(traced.cluster, piped.socket(traced.collector.name))
    collector = build_collector(traced)
    if collector is None:
        return None
    return finish(build_destination(collector, system_ca_path=ca_path))


def trace_listener(listener: Listener, traced: Traced) -> bool:
    """Whether there was anything to trace: what is not HTTP has no spans."""
    is_traced = False
    for chain in listener.filter_chains:
        for each in chain.filters:
            if each.name == CONNECTION_MANAGER:
                manager = HttpConnectionManager.FromString(each.typed_config.value)
                service = service_of(listener, manager, traced.trace)
                manager.tracing.CopyFrom(build_tracing(traced, service))
                each.typed_config.CopyFrom(pack(manager))
                is_traced = True
    return is_traced


def build_collector(traced: Traced) -> Destination | None:
    """None: there is nothing to connect to, which validation refuses."""
    backend, otlp = traced.trace.backend, traced.collector
    name = traced.cluster
    if otlp is not None:
        host = otlp.host or traced.trace.reporter.host_ip
        return Destination(
            name,
            name,
            Protocol.HTTP if otlp.is_http else Protocol.GRPC,
            endpoints=Resolved((Endpoint(host, otlp.port),)),
            tls=ExternalTls(server_name=host) if otlp.is_secure else None,
        )
    chosen = backend.zipkin if backend.type is BackendType.ZIPKIN else backend.datadog
    url = None if chosen is None else parse_url(chosen.url)
    if url is None:
        return None
    return Destination(
        name,
        name,
        Protocol.HTTP,
        endpoints=Resolved((Endpoint(url.host, url.port_number),)),
        tls=ExternalTls(server_name=url.host) if url.scheme == HTTPS else None,
    )


SHAPER = TraceShaper()
