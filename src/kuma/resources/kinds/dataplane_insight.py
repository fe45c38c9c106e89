"""DataplaneInsight: what the control plane knows of a proxy, written by nobody but itself."""

from collections.abc import Mapping

from pydantic import Field

from kuma.resources.kind import Kind, Scope, Sync
from kuma.resources.kinds.dataplane import DataplaneSpec
from kuma.resources.proto_json import Bool, ProtoModel, Struct, Timestamp, UInt32, UInt64


class DiscoveryServiceStats(ProtoModel):
    responses_sent: UInt64 = 0
    responses_acknowledged: UInt64 = 0
    responses_rejected: UInt64 = 0


class Rejection(ProtoModel):
    """What Envoy said when it refused a configuration. `type` is Envoy's message name."""

    # Differs from Kuma: there the reason is only in the control plane's log.
    type: str = ""
    message: str = ""
    time: Timestamp | None = None


class DiscoverySubscriptionStatus(ProtoModel):
    last_update_time: Timestamp | None = None
    total: DiscoveryServiceStats | None = None
    cds: DiscoveryServiceStats | None = None
    eds: DiscoveryServiceStats | None = None
    lds: DiscoveryServiceStats | None = None
    rds: DiscoveryServiceStats | None = None
    last_rejection: Rejection | None = None


class KumaDpVersion(ProtoModel):
    version: str = ""
    git_tag: str = ""
    git_commit: str = ""
    build_date: str = ""
    kuma_cp_compatible: Bool = False


class EnvoyVersion(ProtoModel):
    version: str = ""
    build: str = ""
    kuma_dp_compatible: Bool = False


class Version(ProtoModel):
    kuma_dp: KumaDpVersion | None = None
    envoy: EnvoyVersion | None = None
    dependencies: Mapping[str, str] = Field(default_factory=dict)


class DiscoverySubscription(ProtoModel):
    """One connection of a proxy to one control plane instance."""

    id: str = ""
    control_plane_instance_id: str = ""
    connect_time: Timestamp | None = None
    disconnect_time: Timestamp | None = None
    status: DiscoverySubscriptionStatus | None = None
    version: Version | None = None
    generation: UInt32 = 0

    @property
    def is_online(self) -> bool:
        return self.connect_time is not None and self.disconnect_time is None


class DataplaneInsightMtls(ProtoModel):
    certificate_expiration_time: Timestamp | None = None
    last_certificate_regeneration: Timestamp | None = None
    certificate_regenerations: UInt32 = 0
    issued_backend: str = ""
    supported_backends: tuple[str, ...] = ()


class OpenTelemetrySignal(ProtoModel):
    enabled: Bool = False
    env_allowed: Bool = False
    env_input_present: Bool = False
    state: str = ""
    override_kinds: tuple[str, ...] = ()
    missing_fields: tuple[str, ...] = ()
    blocked_reasons: tuple[str, ...] = ()


class OpenTelemetryBackend(ProtoModel):
    name: str = ""
    traces: OpenTelemetrySignal | None = None
    logs: OpenTelemetrySignal | None = None
    metrics: OpenTelemetrySignal | None = None


class OpenTelemetryInsight(ProtoModel):
    backends: tuple[OpenTelemetryBackend, ...] = ()


class DataplaneInsightSpec(ProtoModel):
    subscriptions: tuple[DiscoverySubscription, ...] = ()
    mtls: DataplaneInsightMtls | None = Field(default=None, alias="mTLS")
    metadata: Struct | None = None
    open_telemetry: OpenTelemetryInsight | None = None

    @property
    def is_online(self) -> bool:
        """As Kuma counts: any subscription that is connected still."""
        return any(each.is_online for each in self.subscriptions)


DATAPLANE_INSIGHT = Kind(
    name="DataplaneInsight",
    plural="DataplaneInsights",
    display_plural="Dataplane Insights",
    scope=Scope.MESH,
    spec=DataplaneInsightSpec,
    path="dataplane-insights",
    spec_at_root=True,
    read_only=True,
    sync=Sync.ZONE_TO_GLOBAL,
)


class DataplaneOverviewSpec(ProtoModel):
    dataplane: DataplaneSpec
    dataplane_insight: DataplaneInsightSpec | None = None


DATAPLANE_OVERVIEW = Kind(
    name="DataplaneOverview",
    plural="DataplaneOverviews",
    display_plural="Dataplane Overviews",
    scope=Scope.MESH,
    spec=DataplaneOverviewSpec,
    short="dp",
    spec_at_root=True,
    read_only=True,
)
