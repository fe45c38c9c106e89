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
    online: UInt32 = 0
    offline: UInt32 = 0


class ServiceInsightSpec(ProtoModel):
    """`issued_backends` counts proxies by backend; `address_port` is `<service>.mesh:80`."""

    status: ServiceStatus = ServiceStatus.NONE
    dataplanes: ServiceDataplaneStat | None = None
    issued_backends: Mapping[str, UInt32] = Field(default_factory=dict)
    service_type: ServiceType = ServiceType.INTERNAL
    address_port: str = ""
    zones: tuple[str, ...] = ()


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
