"""What is to be measured, as the control plane tells it. Source: Kuma's form, at `/meshmetric`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from kuma.dataplane.metrics.selection import Selection, parse_selection
from kuma.kit.durations import parse_duration

PATH = "/meshmetric"
OPEN_TELEMETRY = "OpenTelemetry"
_EVERY = "1m0s"


@dataclass(frozen=True)
class Application:
    """`address` empty: that of the Dataplane."""

    name: str
    address: str
    port: int
    path: str

    def __str__(self) -> str:
        return self.name or f"{self.address}:{self.port}"


@dataclass(frozen=True)
class Collector:
    """`socket` is Envoy's; `path` is that of OTLP over HTTP, empty: over gRPC."""

    name: str
    socket: str
    every: timedelta
    path: str = ""


@dataclass(frozen=True)
class Wanted:
    applications: tuple[Application, ...]
    collectors: tuple[Collector, ...]
    labels: Mapping[str, str]
    selection: Selection
    include_unused: bool


def parse_wanted(text: bytes) -> Wanted:
    """Raises ValueError for what is no such document."""
    try:
        told = json.loads(text)["observability"]["metrics"]
        sidecar = told.get("sidecar") or {}
        return Wanted(
            applications=tuple(map(_application, told.get("applications") or ())),
            collectors=tuple(
                _collector(each["name"] or "", each["openTelemetry"])
                for each in told.get("backends") or ()
                if each["type"] == OPEN_TELEMETRY and each.get("openTelemetry")
            ),
            labels={str(key): str(label) for key, label in (told.get("extraLabels") or {}).items()},
            selection=parse_selection(sidecar.get("profiles") or {}),
            include_unused=sidecar.get("includeUnused") is True,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not what kuma-dp understands: {error!r}") from error


def _application(told: Mapping[str, Any]) -> Application:
    return Application(
        name=told.get("name") or "",
        address=told.get("address") or "",
        port=int(told["port"]),
        path=told.get("path") or "/metrics",
    )


def _collector(name: str, told: Mapping[str, Any]) -> Collector:
    every = parse_duration(told.get("refreshInterval") or _EVERY)
    return Collector(name, told["endpoint"], every, (told.get("http") or {}).get("path", ""))
