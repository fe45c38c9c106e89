"""DataplaneInsight: what the control plane knows of a proxy, written by nobody but itself."""

from collections.abc import Mapping

from pydantic import Field

from kuma.resources.kind import Kind, Scope, Sync
from kuma.resources.kinds.dataplane import DataplaneSpec
from kuma.resources.proto_json import Bool, ProtoModel, Struct, Timestamp, UInt32, UInt64


class DiscoveryServiceStats(ProtoModel):
    responses_sent: UInt64 = 0
    """Configurations sent to the proxy."""
    responses_acknowledged: UInt64 = 0
    """Those that it took."""
    responses_rejected: UInt64 = 0
    """Those that it refused."""


class Rejection(ProtoModel):
    """What Envoy said when it refused a configuration. `type` is Envoy's message name."""

    # Differs from Kuma: there the reason is only in the control plane's log.
    type: str = ""
    """Type of the refused resources, in Envoy's words."""
    message: str = ""
    """Envoy's reason."""
    time: Timestamp | None = None
    """When it was refused."""


class DiscoverySubscriptionStatus(ProtoModel):
    last_update_time: Timestamp | None = None
    """When this was last changed."""
    total: DiscoveryServiceStats | None = None
    """Over all types."""
    cds: DiscoveryServiceStats | None = None
    """Clusters."""
    eds: DiscoveryServiceStats | None = None
    """Endpoints."""
    lds: DiscoveryServiceStats | None = None
    """Listeners."""
    rds: DiscoveryServiceStats | None = None
    """Routes."""
    last_rejection: Rejection | None = None
    """The last configuration that the proxy refused."""


class KumaDpVersion(ProtoModel):
    version: str = ""
    """Version of kuma-dp."""
    git_tag: str = ""
    """Tag that it was built from."""
    git_commit: str = ""
    """Commit that it was built from."""
    build_date: str = ""
    """When it was built."""
    kuma_cp_compatible: Bool = False
    """Whether it fits this control plane."""


class EnvoyVersion(ProtoModel):
    version: str = ""
    """Version of Envoy."""
    build: str = ""
    """Build of Envoy."""
    kuma_dp_compatible: Bool = False
    """Whether it fits this kuma-dp."""


class Version(ProtoModel):
    kuma_dp: KumaDpVersion | None = None
    """kuma-dp."""
    envoy: EnvoyVersion | None = None
    """Envoy."""
    dependencies: Mapping[str, str] = Field(default_factory=dict)
    """Versions of other programs that run with it."""


class DiscoverySubscription(ProtoModel):
    """One connection of a proxy to one control plane instance."""

    id: str = ""
    """Identifies the connection."""
    control_plane_instance_id: str = ""
    """The instance that the proxy is, or was, connected to."""
    connect_time: Timestamp | None = None
    """When it connected."""
    disconnect_time: Timestamp | None = None
    """When it disconnected. Left out: it is connected."""
    status: DiscoverySubscriptionStatus | None = None
    """What was sent to it."""
    version: Version | None = None
    """Versions that the proxy reported."""
    generation: UInt32 = 0
    """Raised with each change."""

    @property
    def is_online(self) -> bool:
        return self.connect_time is not None and self.disconnect_time is None


class DataplaneInsightMtls(ProtoModel):
    certificate_expiration_time: Timestamp | None = None
    """When the proxy's certificate expires."""
    last_certificate_regeneration: Timestamp | None = None
    """When it was last issued."""
    certificate_regenerations: UInt32 = 0
    """How often it was issued."""
    issued_backend: str = ""
    """The CA backend that issued it."""
    supported_backends: tuple[str, ...] = ()
    """The CA backends that the proxy trusts."""


class OpenTelemetrySignal(ProtoModel):
    enabled: Bool = False
    """Whether the signal is sent."""
    env_allowed: Bool = False
    """Whether the proxy's environment may set it."""
    env_input_present: Bool = False
    """Whether the proxy's environment sets it."""
    state: str = ""
    """State of the signal."""
    override_kinds: tuple[str, ...] = ()
    """What was overridden."""
    missing_fields: tuple[str, ...] = ()
    """What is missing."""
    blocked_reasons: tuple[str, ...] = ()
    """Why it is not sent."""


class OpenTelemetryBackend(ProtoModel):
    name: str = ""
    """Name of the backend."""
    traces: OpenTelemetrySignal | None = None
    """Traces."""
    logs: OpenTelemetrySignal | None = None
    """Logs."""
    metrics: OpenTelemetrySignal | None = None
    """Metrics."""


class OpenTelemetryInsight(ProtoModel):
    backends: tuple[OpenTelemetryBackend, ...] = ()
    """The backends."""


class DataplaneInsightSpec(ProtoModel):
    subscriptions: tuple[DiscoverySubscription, ...] = ()
    """Connections of the proxy to control planes, the newest last."""
    mtls: DataplaneInsightMtls | None = Field(default=None, alias="mTLS")
    """The proxy's certificate."""
    metadata: Struct | None = None
    """What the proxy says about itself."""
    open_telemetry: OpenTelemetryInsight | None = None
    """OpenTelemetry at the proxy."""

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
    """The Dataplane."""
    dataplane_insight: DataplaneInsightSpec | None = None
    """What the control plane knows of its proxy."""


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
