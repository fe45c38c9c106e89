"""ZoneInsight: what the control plane knows of a zone, written by nobody but itself."""

from collections.abc import Mapping

from pydantic import Field

from kuma.resources.kind import Kind, Scope, Sync
from kuma.resources.proto_json import Bool, ProtoModel, Timestamp, UInt32, UInt64


class KdsServiceStats(ProtoModel):
    responses_sent: UInt64 = 0
    """Configurations sent."""
    responses_acknowledged: UInt64 = 0
    """Those that were taken."""
    responses_rejected: UInt64 = 0
    """Those that were refused."""


class KdsSubscriptionStatus(ProtoModel):
    """`stat` is by kind."""

    last_update_time: Timestamp | None = None
    """When this was last changed."""
    total: KdsServiceStats | None = None
    """Over all kinds."""
    stat: Mapping[str, KdsServiceStats] = Field(default_factory=dict)
    """By kind."""


class KumaCpVersion(ProtoModel):
    version: str = ""
    """Version of kuma-cp."""
    git_tag: str = ""
    """Tag that it was built from."""
    git_commit: str = ""
    """Commit that it was built from."""
    build_date: str = ""
    """When it was built."""
    kuma_cp_global_compatible: Bool = False
    """Whether it fits the global control plane."""


class ZoneVersion(ProtoModel):
    kuma_cp: KumaCpVersion | None = None
    """The zone's control plane."""


class KdsSubscription(ProtoModel):
    id: str = ""
    """Identifies the connection."""
    global_instance_id: str = ""
    """The global instance that the zone is, or was, connected to."""
    connect_time: Timestamp | None = None
    """When it connected."""
    disconnect_time: Timestamp | None = None
    """When it disconnected. Left out: it is connected."""
    status: KdsSubscriptionStatus | None = None
    """What was sent to it."""
    version: ZoneVersion | None = None
    """Versions that the zone reported."""
    generation: UInt32 = 0
    """Raised with each change."""
    config: str = ""
    """The zone's settings, JSON."""
    auth_token_provided: Bool = False
    """Whether the zone showed a token."""
    zone_instance_id: str = ""
    """The zone's instance."""


class EnvoyAdminStreams(ProtoModel):
    config_dump_global_instance_id: str = ""
    """The global instance that asks for configurations."""
    stats_global_instance_id: str = ""
    """The global instance that asks for statistics."""
    clusters_global_instance_id: str = ""
    """The global instance that asks for clusters."""


class KdsStream(ProtoModel):
    global_instance_id: str = ""
    """The global instance at its other end."""
    connect_time: Timestamp | None = None
    """When it was opened."""


class KdsStreams(ProtoModel):
    clusters: KdsStream | None = None
    """Clusters of proxies."""
    config_dump: KdsStream | None = None
    """Configurations of proxies."""
    stats: KdsStream | None = None
    """Statistics of proxies."""
    global_to_zone: KdsStream | None = None
    """Resources to the zone."""
    zone_to_global: KdsStream | None = None
    """Resources from the zone."""


class ZoneHealthCheck(ProtoModel):
    time: Timestamp | None = None
    """When the zone was last heard of."""


class ZoneInsightSpec(ProtoModel):
    subscriptions: tuple[KdsSubscription, ...] = ()
    """Connections of the zone, the newest last."""
    envoy_admin_streams: EnvoyAdminStreams | None = None
    """Streams that ask the zone's proxies."""
    health_check: ZoneHealthCheck | None = None
    """The last sign of life."""
    kds_streams: KdsStreams | None = None
    """Streams that are open."""

    @property
    def is_online(self) -> bool:
        return bool(self.subscriptions) and self.subscriptions[-1].disconnect_time is None


ZONE_INSIGHT = Kind(
    name="ZoneInsight",
    plural="ZoneInsights",
    display_plural="Zone Insights",
    scope=Scope.GLOBAL,
    spec=ZoneInsightSpec,
    path="zone-insights",
    spec_at_root=True,
    read_only=True,
    sync=Sync.WRITTEN_BY_GLOBAL | Sync.WRITTEN_BY_ZONE,
)
