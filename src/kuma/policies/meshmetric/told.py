"""What the control plane tells kuma-dp of a MeshMetric, as JSON at `/meshmetric`.

Source: Kuma's form, which its kuma-dp reads too. `http` of a collector is ours, and left out where
metrics go over gRPC, as they always do there.
"""

from typing import Any

from kuma.envoy.told import Told, as_body
from kuma.kit.durations import format_duration
from kuma.plan.machine import Machine, collector_socket
from kuma.plan.signal import Signal
from kuma.policies.meshmetric.model import DEFAULT_INTERVAL, Application, Metrics
from kuma.policies.meshmetric.push import Pushed

PATH = "/meshmetric"


def tell(metrics: Metrics, backends: list[dict[str, Any]]) -> Told:
    conf, measured = metrics.conf, metrics.measured
    told: dict[str, Any] = {
        "applications": [_application(each) for each in conf.applications or ()],
        "backends": backends,
        "extraLabels": dict(measured.labels),
    }
    if conf.sidecar is not None:
        told["sidecar"] = conf.sidecar.to_json()
    body = as_body({"observability": {"metrics": told}})
    return Told(PATH, body, measured.machine.work_dir, measured.is_unified)


def tell_prometheus() -> dict[str, Any]:
    """How it is served is Envoy's alone."""
    return {"type": "Prometheus", "name": None}


def tell_collector(to: Pushed, machine: Machine) -> dict[str, Any]:
    collector, every = to.collector, to.backend.refresh_interval or DEFAULT_INTERVAL
    told: dict[str, Any] = {
        "endpoint": collector_socket(machine.work_dir, collector.name),
        "refreshInterval": format_duration(every),
    }
    if collector.is_http:
        told["http"] = {"path": f"{collector.path.rstrip('/')}/{Signal.METRICS.path}"}
    return {"type": "OpenTelemetry", "name": collector.name, "openTelemetry": told}


def _application(application: Application) -> dict[str, Any]:
    named = {} if application.name is None else {"name": application.name}
    where = {"address": application.address or "", "port": application.port}
    return {**named, **where, "path": application.path}
