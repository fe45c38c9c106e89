"""Metrics for collectors that kuma-dp reaches through its Envoy: a listener and a cluster for each.

A collector that is a resource is told to a kuma-dp that sends on OTLP by itself, and needs neither.
"""

from collections.abc import Iterator
from dataclasses import replace

from envoy.config.route.v3.route_components_pb2 import Route, RouteAction, RouteMatch

from kuma.envoy.address import pipe_address
from kuma.envoy.cluster import build_collector
from kuma.envoy.finished import Made, Purpose
from kuma.envoy.message import as_resource
from kuma.envoy.own_listener import build_own_listener
from kuma.envoy.snapshot import TypeUrl
from kuma.kit.value import value
from kuma.plan import names
from kuma.plan.collector import Collector, Collectors
from kuma.plan.machine import collector_socket
from kuma.plan.measured import Measured
from kuma.policies.collectors import find_collector
from kuma.policies.meshmetric.model import BackendType, Metrics, OpenTelemetryBackend


@value
class Pushed:
    """A backend of OpenTelemetry with its collector, and the name that both have in Envoy."""

    backend: OpenTelemetryBackend
    collector: Collector
    name: str


def pushed(metrics: Metrics, known: Collectors) -> Iterator[Pushed]:
    """A reference to none is nobody's, and one collector gets everything once."""
    seen = set()
    measured = metrics.measured
    for backend in metrics.conf.backends or ():
        to = backend.open_telemetry
        if to is None or backend.type is not BackendType.OPEN_TELEMETRY:
            continue
        if to.backend_ref is not None and measured.machine.otel is not None:
            continue
        found = _collector(to, known)
        if found is not None and found.name not in seen:
            seen.add(found.name)
            name = names.metrics_collector(found.name, unified=measured.is_unified)
            yield Pushed(to, found, name)


def _collector(to: OpenTelemetryBackend, known: Collectors) -> Collector | None:
    """Under a name that can be a file's."""
    found = find_collector(to, known)
    if found is None or found.name:
        return found
    return replace(found, name=to.endpoint.replace("/", "").replace(":", "-"))


def push(to: Pushed, measured: Measured) -> Iterator[Made]:
    cluster = build_collector(to.name, to.collector, measured.machine)
    cluster.alt_stat_name = names.alternative(to.name)
    yield Made(Purpose.OPEN_TELEMETRY, as_resource(TypeUrl.CLUSTER, to.name, cluster))
    authority = _authority(to.collector, measured)
    action = RouteAction(cluster=to.name, host_rewrite_literal=authority)
    listener = build_own_listener(
        to.name,
        pipe_address(collector_socket(measured.machine.work_dir, to.collector.name)),
        [Route(match=RouteMatch(prefix="/"), route=action)],
        unified=measured.is_unified,
        grpc=not to.collector.is_http,
    )
    yield Made(Purpose.OPEN_TELEMETRY, as_resource(TypeUrl.LISTENER, to.name, listener))


def _authority(collector: Collector, measured: Measured) -> str:
    """As it knows itself, not as kuma-dp's socket is called."""
    host = collector.host or measured.machine.host_ip
    return f"[{host}]:{collector.port}" if ":" in host else f"{host}:{collector.port}"
