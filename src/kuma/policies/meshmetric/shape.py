"""Metrics -> what Envoy has between kuma-dp, which measures, and those who want to know.

    Prometheus ──> listener at port 5670 ──> cluster ── socket ──> kuma-dp
    kuma-dp ── socket ──> listener ──> cluster ──> collector             one for each of OpenTelemetry
    kuma-dp ── socket ──> listener of the dynamic configuration: what to measure, for whom

Differs from Kuma: a backend that asks for TLS is never served without, where Kuma falls back to plain
text if the proxy has no certificate, and for ActiveMTLSBackend always; and where the port is in use
already there is a diagnostic, and no listener that Envoy would refuse.
Source: names and routes as seen in Kuma's configuration.
"""

import hashlib
from collections.abc import Iterator

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.address_pb2 import Address
from envoy.config.core.v3.base_pb2 import (
    INBOUND,
    DataSource,
    HeaderValue,
    HeaderValueOption,
    TransportSocket,
)
from envoy.config.listener.v3.listener_components_pb2 import FilterChain
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_components_pb2 import (
    DirectResponseAction,
    HeaderMatcher,
    Route,
    RouteAction,
    RouteMatch,
    VirtualHost,
)
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.type.matcher.v3.string_pb2 import StringMatcher
from google.protobuf.wrappers_pb2 import BoolValue

from kuma.envoy import tls
from kuma.envoy.address import pipe_address, socket_address
from kuma.envoy.cluster import build_collector, build_local_cluster
from kuma.envoy.finished import Finished, Made, Purpose
from kuma.envoy.http_filters import GRPC_STATS_FILTER, ROUTER_FILTER
from kuma.envoy.internal import ONLY_LOOPBACK
from kuma.envoy.listener import build_manager, manager_filter
from kuma.envoy.message import as_resource, uint
from kuma.envoy.shaper import HttpChain, Shaper
from kuma.envoy.snapshot import TypeUrl
from kuma.kit.slots import Slots
from kuma.kit.value import value
from kuma.plan import names
from kuma.plan.collector import METRICS, Collector, Collectors
from kuma.plan.machine import collector_socket, dynamic_config_socket, metrics_socket
from kuma.plan.measured import Measured
from kuma.plan.proxy import Diagnostic
from kuma.policies.collectors import parse_endpoint
from kuma.policies.meshmetric.model import (
    DEFAULT_INTERVAL,
    Metrics,
    MetricsTlsMode,
    OpenTelemetryBackend,
    PrometheusBackend,
)
from kuma.policies.meshmetric.told import PATH, tell, tell_collector, tell_prometheus

_FALSE = BoolValue(value=False)


@value
class Pushed:
    """A backend of OpenTelemetry with its collector, and the name that both have in Envoy."""

    backend: OpenTelemetryBackend
    collector: Collector
    name: str


class MetricShaper(Shaper):
    def add(self, conf: Slots, *, system_ca_path: str = "") -> Finished:
        metrics = conf.get(Metrics)
        if metrics is None:
            return Finished(())
        made: dict[str, Made] = {}
        problems: list[Diagnostic] = []
        pushed = list(_pushed(metrics, conf.get(Collectors) or Collectors()))
        served: set[str] = set()
        for index, backend in enumerate(metrics.conf.backends or ()):
            if backend.prometheus is None or backend.type != "Prometheus":
                continue
            problem = _problem(backend.prometheus, metrics.measured, served)
            if problem is not None:
                where = f"spec.default.backends[{index}].prometheus.{problem[0]}"
                problems.append(Diagnostic(metrics.origin, where, problem[1]))
                continue
            served.add(_listener_name(backend.prometheus, metrics.measured))
            for one in _serve(backend.prometheus, metrics.measured):
                made[f"{one.resource.type_url}{one.resource.name}"] = one
        found = [*made.values(), *(one for each in pushed for one in _push(each, metrics))]
        if found:
            found.append(_dynamic_config(metrics, pushed, served=bool(served)))
        return Finished(tuple(found), tuple(problems))


def _listener_name(backend: PrometheusBackend, measured: Measured) -> str:
    return names.metrics_listener(backend.name, unified=measured.is_unified)


def _problem(
    backend: PrometheusBackend, measured: Measured, served: set[str]
) -> tuple[str, str] | None:
    """Why it cannot be served, with the field. `served`: listeners that there are."""
    proxy = f'of Dataplane "{measured.name}"'
    if _listener_name(backend, measured) in served:
        return "clientId", f"metrics {proxy} are not served: another backend has that name in Envoy"
    if backend.port in measured.taken:
        return "port", f"{backend.port} {proxy} is in use: its metrics are not served"
    files = measured.machine
    if backend.mode is MetricsTlsMode.PROVIDED_TLS and not (
        files.metrics_cert and files.metrics_key
    ):
        return (
            "tls.mode",
            f"metrics {proxy} are not served: its kuma-dp has no certificate for them",
        )
    if backend.mode is MetricsTlsMode.ACTIVE_MTLS_BACKEND and measured.tls is None:
        return "tls.mode", f"metrics {proxy} are not served: the mesh has no mutual TLS"
    return None


def _serve(backend: PrometheusBackend, measured: Measured) -> Iterator[Made]:
    unified = measured.is_unified
    cluster = names.metrics_cluster(backend.name, unified=unified)
    at = metrics_socket(measured.machine.work_dir, mesh=measured.mesh, name=measured.name)
    yield _cluster(Purpose.PROMETHEUS, build_local_cluster(cluster, pipe_address(at)))
    route = Route(
        match=RouteMatch(prefix=backend.path),
        route=RouteAction(cluster=cluster, prefix_rewrite=PATH),
    )
    listener = _listener(
        _listener_name(backend, measured),
        socket_address(measured.address, backend.port),
        [route],
        unified=unified,
    )
    listener.traffic_direction = INBOUND
    # Where two proxies share an address, the second must not answer for the first.
    listener.enable_reuse_port.CopyFrom(_FALSE)
    if (socket := _socket(backend.mode, measured)) is not None:
        listener.filter_chains[0].transport_socket.CopyFrom(socket)
    yield _made(Purpose.PROMETHEUS, listener)


def _socket(mode: MetricsTlsMode, measured: Measured) -> TransportSocket | None:
    if mode is MetricsTlsMode.PROVIDED_TLS:
        return tls.file_socket(measured.machine.metrics_cert, measured.machine.metrics_key)
    if mode is MetricsTlsMode.ACTIVE_MTLS_BACKEND and measured.tls is not None:
        return tls.inbound_socket(measured.tls)
    return None


def _pushed(metrics: Metrics, collectors: Collectors) -> Iterator[Pushed]:
    """A reference to none is nobody's, and one collector gets everything once."""
    seen = set()
    for backend in metrics.conf.backends or ():
        to = backend.open_telemetry
        if to is None or backend.type != "OpenTelemetry":
            continue
        found = _collector(to, collectors)
        if found is None or found.name in seen:
            continue
        seen.add(found.name)
        yield Pushed(
            to, found, names.metrics_collector(found.name, unified=metrics.measured.is_unified)
        )


def _collector(to: OpenTelemetryBackend, collectors: Collectors) -> Collector | None:
    if to.backend_ref is not None:
        return collectors.find(to.backend_ref)
    at = parse_endpoint(to.endpoint)
    if at is None:
        return None
    return Collector(to.endpoint.replace("/", "").replace(":", "-"), at.host, at.port)


def _push(pushed: Pushed, metrics: Metrics) -> Iterator[Made]:
    measured = metrics.measured
    cluster = build_collector(pushed.name, pushed.collector, measured.machine)
    cluster.alt_stat_name = names.alternative(pushed.name)
    yield _cluster(Purpose.OPEN_TELEMETRY, cluster)
    listener = _listener(
        pushed.name,
        pipe_address(collector_socket(measured.machine.work_dir, pushed.collector.name)),
        [
            Route(
                match=RouteMatch(prefix="/"),
                route=RouteAction(
                    cluster=pushed.name, host_rewrite_literal=_authority(pushed.collector, measured)
                ),
            )
        ],
        unified=measured.is_unified,
        grpc=not pushed.collector.is_http,
    )
    yield _made(Purpose.OPEN_TELEMETRY, listener)


def _authority(collector: Collector, measured: Measured) -> str:
    """As it knows itself, not as kuma-dp's socket is called."""
    host = collector.host or measured.machine.host_ip
    return f"[{host}]:{collector.port}" if ":" in host else f"{host}:{collector.port}"


def _dynamic_config(metrics: Metrics, pushed: list[Pushed], *, served: bool) -> Made:
    machine, unified = metrics.measured.machine, metrics.measured.is_unified
    backends = [tell_prometheus()] if served else []
    backends += [
        tell_collector(
            each.collector.name,
            socket=collector_socket(machine.work_dir, each.collector.name),
            every=each.backend.refresh_interval or DEFAULT_INTERVAL,
            path=f"{each.collector.path.rstrip('/')}/{METRICS}" if each.collector.is_http else "",
        )
        for each in pushed
    ]
    body = tell(metrics, backends)
    listener = _listener(
        names.dynamic_config(unified=unified),
        pipe_address(dynamic_config_socket(machine.work_dir)),
        list(_answers(body, unified=unified)),
        unified=unified,
        largest=len(body.encode()),
    )
    return _made(Purpose.DYNAMIC_CONFIG, listener)


def _answers(body: str, *, unified: bool) -> Iterator[Route]:
    """Whoever knows the newest is told so, and no more."""
    tag = hashlib.sha256(body.encode()).hexdigest()
    known = HeaderMatcher(name="If-None-Match", string_match=StringMatcher(exact=tag))
    name = f"{names.dynamic_config(unified=unified)}{'_meshmetric' if unified else f':{PATH}'}"
    yield Route(
        name=f"{name}_not_modified" if unified else "",
        match=RouteMatch(path=PATH, headers=[known]),
        direct_response=DirectResponseAction(status=304),
    )
    yield Route(
        name=name,
        match=RouteMatch(path=PATH),
        response_headers_to_add=[
            HeaderValueOption(header=HeaderValue(key="Etag", value=tag)),
        ],
        direct_response=DirectResponseAction(status=200, body=DataSource(inline_string=body)),
    )


def _listener(
    name: str,
    address: Address,
    routes: list[Route],
    *,
    unified: bool,
    grpc: bool = False,
    largest: int = 0,
) -> Listener:
    """One chain of HTTP. `largest`: bytes of the longest answer that it gives itself."""
    configuration = RouteConfiguration(
        virtual_hosts=[VirtualHost(name=name, domains=["*"], routes=routes)],
        validate_clusters=_FALSE,
    )
    if largest:
        configuration.max_direct_response_body_size_bytes.CopyFrom(uint(largest))
    ip = address.socket_address.address
    manager = build_manager(name, ip, internal=ONLY_LOOPBACK, routes=configuration)
    filters = [GRPC_STATS_FILTER, ROUTER_FILTER] if grpc else [ROUTER_FILTER]
    return Listener(
        name=name,
        stat_prefix=name if unified else "",
        address=address,
        filter_chains=[FilterChain(filters=[manager_filter(HttpChain(manager, filters))])],
    )


def _cluster(purpose: Purpose, made: Cluster) -> Made:
    return Made(purpose, as_resource(TypeUrl.CLUSTER, made.name, made))


def _made(purpose: Purpose, made: Listener) -> Made:
    return Made(purpose, as_resource(TypeUrl.LISTENER, made.name, made))


SHAPER = MetricShaper()
