"""What the control plane tells kuma-dp of a MeshMetric, as JSON at `/meshmetric`.

Source: Kuma's form, which its kuma-dp reads too. `http` of a collector is ours, and left out where
metrics go over gRPC, as they always do there.
"""

import json
from typing import Any

from kuma.kit.durations import format_duration
from kuma.policies.meshmetric.model import Application, Metrics

PATH = "/meshmetric"


def tell(metrics: Metrics, backends: list[dict[str, Any]]) -> str:
    conf = metrics.conf
    told: dict[str, Any] = {
        "applications": [_application(each) for each in conf.applications or ()],
        "backends": backends,
        "extraLabels": dict(metrics.measured.labels),
    }
    if conf.sidecar is not None:
        told["sidecar"] = conf.sidecar.to_json()
    document = {"observability": {"metrics": told}}
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def tell_prometheus() -> dict[str, Any]:
    """How it is served is Envoy's alone."""
    return {"type": "Prometheus", "name": None}


def tell_collector(name: str, *, socket: str, every: Any, path: str = "") -> dict[str, Any]:
    """`path`: of OTLP over HTTP; empty: over gRPC."""
    told = {"endpoint": socket, "refreshInterval": format_duration(every)}
    http = {"http": {"path": path}} if path else {}
    return {"type": "OpenTelemetry", "name": name, "openTelemetry": {**told, **http}}


def _application(application: Application) -> dict[str, Any]:
    named = {} if application.name is None else {"name": application.name}
    where = {"address": application.address or "", "port": application.port}
    return {**named, **where, "path": application.path}
