"""ZoneInsight: what the control plane knows of a zone, written by nobody but itself."""

from collections.abc import Mapping

from pydantic import Field

from kuma.resources.kind import Kind, Scope, Sync
from kuma.resources.proto_json import Bool, ProtoModel, Timestamp, UInt32, UInt64


class KdsServiceStats(ProtoModel):
    responses_sent: UInt64 = 0
    responses_acknowledged: UInt64 = 0
    responses_rejected: UInt64 = 0


class KdsSubscriptionStatus(ProtoModel):
    """`stat` is by kind."""

    last_update_time: Timestamp | None = None
    total: KdsServiceStats | None = None
    stat: Mapping[str, KdsServiceStats] = Field(default_factory=dict)


class KumaCpVersion(ProtoModel):
    version: str = ""
    git_tag: str = ""
    git_commit: str = ""
    build_date: str = ""
    kuma_cp_global_compatible: Bool = False


class ZoneVersion(ProtoModel):
    kuma_cp: KumaCpVersion | None = None


class KdsSubscription(ProtoModel):
    id: str = ""
    global_instance_id: str = ""
    connect_time: Timestamp | None = None
    disconnect_time: Timestamp | None = None
    status: KdsSubscriptionStatus | None = None
    version: ZoneVersion | None = None
    generation: UInt32 = 0
    config: str = ""
    auth_token_provided: Bool = False
    zone_instance_id: str = ""


class EnvoyAdminStreams(ProtoModel):
    config_dump_global_instance_id: str = ""
    stats_global_instance_id: str = ""
    clusters_global_instance_id: str = ""


class KdsStream(ProtoModel):
    global_instance_id: str = ""
    connect_time: Timestamp | None = None


class KdsStreams(ProtoModel):
    clusters: KdsStream | None = None
    config_dump: KdsStream | None = None
    stats: KdsStream | None = None
    global_to_zone: KdsStream | None = None
    zone_to_global: KdsStream | None = None


class ZoneHealthCheck(ProtoModel):
    time: Timestamp | None = None


class ZoneInsightSpec(ProtoModel):
    subscriptions: tuple[KdsSubscription, ...] = ()
    envoy_admin_streams: EnvoyAdminStreams | None = None
    health_check: ZoneHealthCheck | None = None
    kds_streams: KdsStreams | None = None

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
