"""Zone, its insight, and the two together.

Source: https://kuma.io/docs/2.14.x/production/cp-deployment/multi-zone
"""

from kuma.resources.dns_names import deprecated_name
from kuma.resources.kind import Kind, Scope, Sync
from kuma.resources.kinds.zone_insight import ZoneInsightSpec
from kuma.resources.proto_json import Bool, ProtoModel

__all__ = ["ZONE", "ZONE_OVERVIEW", "ZoneOverviewSpec", "ZoneSpec"]


class ZoneSpec(ProtoModel):
    enabled: Bool | None = None
    """Whether the zone takes part. Left out: it does."""

    @property
    def is_enabled(self) -> bool:
        """A zone is, unless it says otherwise."""
        return self.enabled is not False


class ZoneOverviewSpec(ProtoModel):
    zone: ZoneSpec | None = None
    """The Zone."""
    zone_insight: ZoneInsightSpec | None = None
    """What the control plane knows of it."""


ZONE = Kind(
    name="Zone",
    plural="Zones",
    scope=Scope.GLOBAL,
    spec=ZoneSpec,
    path="zones",
    argument="zone",
    short="z",
    spec_at_root=True,
    sync=Sync.WRITTEN_BY_GLOBAL | Sync.WRITTEN_BY_ZONE,
    deprecations=deprecated_name,
)

ZONE_OVERVIEW = Kind(
    name="ZoneOverview",
    plural="ZoneOverviews",
    display_plural="Zone Overviews",
    scope=Scope.GLOBAL,
    spec=ZoneOverviewSpec,
    short="z",
    spec_at_root=True,
    read_only=True,
)
