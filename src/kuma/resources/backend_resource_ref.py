"""How policies name an OpenTelemetry collector that several of them share: by its labels.

Source: reference 12; Kuma, BackendResourceRef.
"""

from enum import StrEnum

from kuma.resources.spec import SpecModel, StringMap


class BackendResourceKind(StrEnum):
    MESH_OPEN_TELEMETRY_BACKEND = "MeshOpenTelemetryBackend"


class BackendResourceRef(SpecModel):
    """A reference to a resource that describes a collector."""

    kind: BackendResourceKind
    """The kind of the resource."""
    labels: StringMap | None = None
    """Selects the resource, which must have them all; of several the oldest."""

    def __str__(self) -> str:
        return "labels:" + ",".join(f"{key}={text}" for key, text in self.labels or ())
