"""What a proxy's stream did, counted: the source of its DataplaneInsight.

stream events -> Subscription (counters, in memory) -> insights.py writes it in batches
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kuma.envoy.snapshot import TypeUrl
from kuma.resources.kinds.dataplane_insight import (
    DiscoveryServiceStats,
    DiscoverySubscription,
    DiscoverySubscriptionStatus,
    Rejection,
    Version,
)

_FIELDS = {
    TypeUrl.CLUSTER: "cds",
    TypeUrl.ENDPOINT: "eds",
    TypeUrl.LISTENER: "lds",
    TypeUrl.ROUTE: "rds",
}
_NOTHING = DiscoveryServiceStats()


@dataclass(slots=True)
class Counters:
    sent: int = 0
    acknowledged: int = 0
    rejected: int = 0

    def to_stats(self) -> DiscoveryServiceStats:
        return DiscoveryServiceStats.model_construct(
            responses_sent=self.sent,
            responses_acknowledged=self.acknowledged,
            responses_rejected=self.rejected,
        )


@dataclass(slots=True)
class Subscription:
    """One stream of one proxy to one control plane instance."""

    id: str
    instance: str
    connected: datetime
    generation: int
    version: Mapping[str, Any]
    """As the proxy told it, in JSON."""
    disconnected: datetime | None = None
    updated: datetime | None = None
    total: Counters = field(default_factory=Counters)
    by_type: dict[TypeUrl, Counters] = field(default_factory=dict)
    last_rejection: Rejection | None = None
    _parsed: Version | None = None

    def sent(self, type_url: TypeUrl, now: datetime) -> None:
        self.total.sent += 1
        self._of(type_url).sent += 1
        self.updated = now

    def acknowledged(self, type_url: TypeUrl, now: datetime) -> None:
        self.total.acknowledged += 1
        self._of(type_url).acknowledged += 1
        self.updated = now

    def rejected(self, type_url: TypeUrl, error: str, now: datetime) -> None:
        self.total.rejected += 1
        self._of(type_url).rejected += 1
        self.updated = now
        name = type_url.rsplit(".", 1)[-1]
        self.last_rejection = Rejection(type=name, message=error, time=now)

    def to_spec(self) -> DiscoverySubscription:
        """Only what the proxy told is validated: a thousand of these are written after a change.
        Raises ValidationError."""
        if self._parsed is None:
            self._parsed = Version.model_validate(self.version)
        stats = {
            name: counters.to_stats()
            for type_url, name in _FIELDS.items()
            if (counters := self.by_type.get(type_url)) is not None
        }
        status = DiscoverySubscriptionStatus.model_construct(
            last_update_time=self.updated,
            total=self.total.to_stats(),
            cds=stats.get("cds", _NOTHING),
            eds=stats.get("eds", _NOTHING),
            lds=stats.get("lds", _NOTHING),
            rds=stats.get("rds", _NOTHING),
            last_rejection=self.last_rejection,
        )
        return DiscoverySubscription.model_construct(
            id=self.id,
            control_plane_instance_id=self.instance,
            connect_time=self.connected,
            disconnect_time=self.disconnected,
            status=status,
            version=self._parsed,
            generation=self.generation,
        )

    def _of(self, type_url: TypeUrl) -> Counters:
        counters = self.by_type.get(type_url)
        if counters is None:
            counters = self.by_type[type_url] = Counters()
        return counters


def as_timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, as protobuf prints a Timestamp."""
    return moment.isoformat().replace("+00:00", "Z")
