"""MeshInsight: counts over a mesh. Computed when asked for, never stored."""

from collections.abc import Mapping

from pydantic import Field

from kuma.resources.kind import Kind, Scope, Sync
from kuma.resources.proto_json import ProtoModel, UInt32


class DataplaneStat(ProtoModel):
    total: UInt32 = 0
    """All."""
    online: UInt32 = 0
    """Those that are connected with all inbounds ready."""
    offline: UInt32 = 0
    """Those that are not connected."""
    partially_degraded: UInt32 = 0
    """Those of which some inbounds are not ready."""


class ResourceStat(ProtoModel):
    total: UInt32 = 0
    """How many there are."""


class DpVersions(ProtoModel):
    """By version."""

    kuma_dp: Mapping[str, DataplaneStat] = Field(default_factory=dict)
    """Dataplanes by version of kuma-dp."""
    envoy: Mapping[str, DataplaneStat] = Field(default_factory=dict)
    """Dataplanes by version of Envoy."""


class MeshInsightMtls(ProtoModel):
    """By backend; `unknown` where a proxy has no certificate."""

    issued_backends: Mapping[str, DataplaneStat] = Field(default_factory=dict)
    """Dataplanes by the CA backend that issued their certificate."""
    supported_backends: Mapping[str, DataplaneStat] = Field(default_factory=dict)
    """Dataplanes by the CA backends that they trust."""


class ServiceStat(ProtoModel):
    total: UInt32 = 0
    """All."""
    internal: UInt32 = 0
    """Those of the mesh."""
    external: UInt32 = 0
    """ExternalServices."""


class DataplanesByType(ProtoModel):
    standard: DataplaneStat | None = None
    """Sidecars."""
    gateway: DataplaneStat | None = None
    """Gateways."""
    gateway_builtin: DataplaneStat | None = None
    """Builtin gateways."""
    gateway_delegated: DataplaneStat | None = None
    """Delegated gateways."""


class MeshInsightSpec(ProtoModel):
    """`policies` and `resources` are by kind."""

    dataplanes: DataplaneStat | None = None
    """Dataplanes of the mesh."""
    policies: Mapping[str, ResourceStat] = Field(default_factory=dict)
    """Policies by kind."""
    dp_versions: DpVersions | None = None
    """Dataplanes by version."""
    mtls: MeshInsightMtls | None = Field(default=None, alias="mTLS")
    """Dataplanes by CA backend."""
    services: ServiceStat | None = None
    """Services of the mesh."""
    dataplanes_by_type: DataplanesByType | None = None
    """Dataplanes by type."""
    resources: Mapping[str, ResourceStat] = Field(default_factory=dict)
    """Resources by kind."""


MESH_INSIGHT = Kind(
    name="MeshInsight",
    plural="MeshInsights",
    display_plural="Mesh Insights",
    scope=Scope.GLOBAL,
    spec=MeshInsightSpec,
    path="mesh-insights",
    spec_at_root=True,
    read_only=True,
    sync=Sync.WRITTEN_BY_GLOBAL,
)
