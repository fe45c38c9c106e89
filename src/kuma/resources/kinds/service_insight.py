"""ServiceInsight: the state of one service. Computed when asked for, never stored."""

from collections.abc import Mapping
from enum import StrEnum

from pydantic import Field

from kuma.resources.kind import Kind, Scope, Sync
from kuma.resources.proto_json import ProtoModel, UInt32


class ServiceStatus(StrEnum):
    NONE = "none"
    OFFLINE = "offline"
    PARTIALLY_DEGRADED = "partially_degraded"
    ONLINE = "online"
    NOT_AVAILABLE = "not_available"


class ServiceType(StrEnum):
    INTERNAL = "internal"
    EXTERNAL = "external"
    GATEWAY_DELEGATED = "gateway_delegated"
    GATEWAY_BUILTIN = "gateway_builtin"


class ServiceDataplaneStat(ProtoModel):
    total: UInt32 = 0
    """All."""
    online: UInt32 = 0
    """Those that can receive traffic."""
    offline: UInt32 = 0
    """Those that cannot."""


class ServiceInsightSpec(ProtoModel):
    """`issued_backends` counts proxies by backend; `address_port` is `<service>.mesh:80`."""

    status: ServiceStatus = ServiceStatus.NONE
    """The service as a whole."""
    dataplanes: ServiceDataplaneStat | None = None
    """Dataplanes that serve it."""
    issued_backends: Mapping[str, UInt32] = Field(default_factory=dict)
    """Their certificates, by CA backend."""
    service_type: ServiceType = ServiceType.INTERNAL
    """What kind of service it is."""
    address_port: str = ""
    """The name and port by which the mesh's DNS will know it."""
    zones: tuple[str, ...] = ()
    """Zones that it runs in."""


SERVICE_INSIGHT = Kind(
    name="ServiceInsight",
    plural="ServiceInsights",
    display_plural="Service Insights",
    scope=Scope.MESH,
    spec=ServiceInsightSpec,
    path="service-insights",
    spec_at_root=True,
    read_only=True,
    sync=Sync.GLOBAL_TO_ZONES,
)
