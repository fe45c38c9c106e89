"""MeshInsight: counts over a mesh. Computed when asked for, never stored."""

from collections.abc import Mapping

from pydantic import Field

from kuma.resources.kind import Kind, Scope, Sync
from kuma.resources.proto_json import ProtoModel, UInt32


class DataplaneStat(ProtoModel):
    total: UInt32 = 0
    online: UInt32 = 0
    offline: UInt32 = 0
    partially_degraded: UInt32 = 0


class ResourceStat(ProtoModel):
    total: UInt32 = 0


class DpVersions(ProtoModel):
    """By version."""

    kuma_dp: Mapping[str, DataplaneStat] = Field(default_factory=dict)
    envoy: Mapping[str, DataplaneStat] = Field(default_factory=dict)


class MeshInsightMtls(ProtoModel):
    """By backend; `unknown` where a proxy has no certificate."""

    issued_backends: Mapping[str, DataplaneStat] = Field(default_factory=dict)
    supported_backends: Mapping[str, DataplaneStat] = Field(default_factory=dict)


class ServiceStat(ProtoModel):
    total: UInt32 = 0
    internal: UInt32 = 0
    external: UInt32 = 0


class DataplanesByType(ProtoModel):
    standard: DataplaneStat | None = None
    gateway: DataplaneStat | None = None
    gateway_builtin: DataplaneStat | None = None
    gateway_delegated: DataplaneStat | None = None


class MeshInsightSpec(ProtoModel):
    """`policies` and `resources` are by kind."""

    dataplanes: DataplaneStat | None = None
    policies: Mapping[str, ResourceStat] = Field(default_factory=dict)
    dp_versions: DpVersions | None = None
    mtls: MeshInsightMtls | None = Field(default=None, alias="mTLS")
    services: ServiceStat | None = None
    dataplanes_by_type: DataplanesByType | None = None
    resources: Mapping[str, ResourceStat] = Field(default_factory=dict)


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
