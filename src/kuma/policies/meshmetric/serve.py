"""Metrics for those who ask: a listener for each Prometheus, before kuma-dp, which measures.

Differs from Kuma: a backend that asks for TLS is never served without, where Kuma falls back to plain
text if the proxy has no certificate, and for ActiveMTLSBackend always; and where the port is in use
already there is a diagnostic, and no listener that Envoy would refuse.
"""

from collections.abc import Iterator

from envoy.config.core.v3.base_pb2 import INBOUND, TransportSocket
from envoy.config.route.v3.route_components_pb2 import Route, RouteAction, RouteMatch
from google.protobuf.wrappers_pb2 import BoolValue

from kuma.envoy import tls
from kuma.envoy.address import pipe_address, socket_address
from kuma.envoy.cluster import build_local_cluster
from kuma.envoy.finished import Made, Purpose
from kuma.envoy.message import as_resource
from kuma.envoy.own_listener import build_own_listener
from kuma.envoy.snapshot import TypeUrl
from kuma.plan import names
from kuma.plan.machine import metrics_socket
from kuma.plan.measured import Measured
from kuma.plan.proxy import Diagnostic
from kuma.policies.meshmetric.model import (
    BackendType,
    Metrics,
    MetricsTlsMode,
    PrometheusBackend,
)
from kuma.policies.meshmetric.told import PATH

_FALSE = BoolValue(value=False)


def served(metrics: Metrics) -> tuple[list[PrometheusBackend], list[Diagnostic]]:
    """Those that can be, and why others cannot."""
    found: list[PrometheusBackend] = []
    problems: list[Diagnostic] = []
    for index, backend in enumerate(metrics.conf.backends or ()):
        if backend.prometheus is None or backend.type is not BackendType.PROMETHEUS:
            continue
        problem = _problem(backend.prometheus, metrics.measured, found)
        if problem is None:
            found.append(backend.prometheus)
            continue
        field, message = problem
        where = f"spec.default.backends[{index}].prometheus.{field}"
        problems.append(Diagnostic(metrics.origin, where, message))
    return found, problems


def _problem(
    backend: PrometheusBackend, measured: Measured, before: list[PrometheusBackend]
) -> tuple[str, str] | None:
    """With the field."""
    proxy, files = f'of Dataplane "{measured.name}"', measured.machine
    if _listener_name(backend, measured) in {_listener_name(each, measured) for each in before}:
        return "clientId", f"metrics {proxy} are not served: another backend has that name in Envoy"
    if backend.port in measured.taken:
        return "port", f"{backend.port} {proxy} is in use: its metrics are not served"
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


def serve(backend: PrometheusBackend, measured: Measured) -> Iterator[Made]:
    unified = measured.is_unified
    cluster = names.metrics_cluster(backend.name, unified=unified)
    at = metrics_socket(measured.machine.work_dir, mesh=measured.mesh, name=measured.name)
    to_kuma_dp = build_local_cluster(cluster, pipe_address(at))
    yield Made(Purpose.PROMETHEUS, as_resource(TypeUrl.CLUSTER, cluster, to_kuma_dp))
    route = Route(
        match=RouteMatch(prefix=backend.path),
        route=RouteAction(cluster=cluster, prefix_rewrite=PATH),
    )
    listener = build_own_listener(
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
    yield Made(Purpose.PROMETHEUS, as_resource(TypeUrl.LISTENER, listener.name, listener))


def _socket(mode: MetricsTlsMode, measured: Measured) -> TransportSocket | None:
    if mode is MetricsTlsMode.PROVIDED_TLS:
        return tls.file_socket(measured.machine.metrics_cert, measured.machine.metrics_key)
    if mode is MetricsTlsMode.ACTIVE_MTLS_BACKEND and measured.tls is not None:
        return tls.inbound_socket(measured.tls)
    return None


def _listener_name(backend: PrometheusBackend, measured: Measured) -> str:
    return names.metrics_listener(backend.name, unified=measured.is_unified)
