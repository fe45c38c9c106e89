"""What a proxy's stream did, counted: the source of its DataplaneInsight.

stream events -> Subscription (counters, in memory) -> insights.py writes it in batches
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kuma.envoy.snapshot import TypeUrl

_FIELDS = {
    TypeUrl.CLUSTER: "cds",
    TypeUrl.ENDPOINT: "eds",
    TypeUrl.LISTENER: "lds",
    TypeUrl.ROUTE: "rds",
}


@dataclass
class Counters:
    sent: int = 0
    acknowledged: int = 0
    rejected: int = 0

    def to_json(self) -> dict[str, Any]:
        """As protobuf prints uint64: text; zeros are left out."""
        counted = {
            "responsesSent": self.sent,
            "responsesAcknowledged": self.acknowledged,
            "responsesRejected": self.rejected,
        }
        return {name: str(count) for name, count in counted.items() if count}


@dataclass
class Subscription:
    """One stream of one proxy to one control plane instance."""

    id: str
    instance: str
    connected: datetime
    generation: int
    version: dict[str, Any]
    disconnected: datetime | None = None
    updated: datetime | None = None
    total: Counters = field(default_factory=Counters)
    by_type: dict[str, Counters] = field(default_factory=dict)
    last_rejection: dict[str, str] | None = None

    def sent(self, type_url: TypeUrl, now: datetime) -> None:
        for counters in self._counters(type_url):
            counters.sent += 1
        self.updated = now

    def acknowledged(self, type_url: TypeUrl, now: datetime) -> None:
        for counters in self._counters(type_url):
            counters.acknowledged += 1
        self.updated = now

    def rejected(self, type_url: TypeUrl, error: str, now: datetime) -> None:
        for counters in self._counters(type_url):
            counters.rejected += 1
        self.updated = now
        self.last_rejection = {
            "type": type_url.rsplit(".", 1)[-1],
            "message": error,
            "time": as_timestamp(now),
        }

    def to_json(self) -> dict[str, Any]:
        status: dict[str, Any] = {"total": self.total.to_json()}
        status |= {name: counters.to_json() for name, counters in self.by_type.items()}
        status |= {name: {} for name in _FIELDS.values() if name not in status}
        if self.updated is not None:
            status["lastUpdateTime"] = as_timestamp(self.updated)
        if self.last_rejection is not None:
            status["lastRejection"] = self.last_rejection
        document = {
            "id": self.id,
            "controlPlaneInstanceId": self.instance,
            "connectTime": as_timestamp(self.connected),
            "generation": self.generation,
            "status": status,
            "version": self.version,
        }
        if self.disconnected is not None:
            document["disconnectTime"] = as_timestamp(self.disconnected)
        return document

    def _counters(self, type_url: TypeUrl) -> list[Counters]:
        name = _FIELDS.get(type_url)
        if name is None:
            return [self.total]
        return [self.total, self.by_type.setdefault(name, Counters())]


def as_timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, as protobuf prints a Timestamp."""
    return moment.isoformat().replace("+00:00", "Z")
