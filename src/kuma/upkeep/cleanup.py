"""Deletes Dataplanes that have been offline for too long. A job of the leader.

    changes of DataplaneInsights -> Dataplanes that are offline -> wait until they are due -> writer

Source: Kuma, `runtime.universal.dataplaneCleanupAge`.
"""

from datetime import datetime, timedelta

import structlog

from kuma.kit.clock import Clock
from kuma.resources.admission import spec_as
from kuma.resources.kinds.dataplane import DATAPLANE
from kuma.resources.kinds.dataplane_insight import DATAPLANE_INSIGHT, DataplaneInsightSpec
from kuma.resources.meta import ResourceKey
from kuma.resources.replica import Replica
from kuma.resources.resource import AnyResource
from kuma.resources.store import Change
from kuma.resources.writer import Writer
from kuma.upkeep.agenda import Agenda

log = structlog.get_logger("cleanup")


class Cleanup:
    def __init__(self, replica: Replica, writer: Writer, clock: Clock, *, age: timedelta) -> None:
        self._replica = replica
        self._writer = writer
        self._clock = clock
        self._age = age
        self._agenda = Agenda[ResourceKey]("cleanup")

    async def run(self) -> None:
        """Until cancelled."""
        touched = {DATAPLANE_INSIGHT.name: _went_offline}
        await self._agenda.run(self._replica, touched, self._keep)

    async def _keep(self, insight: ResourceKey) -> None:
        since = _offline_since(self._replica.find(insight))
        if since is None:
            return
        left = since + self._age - self._clock.now()
        if left > timedelta(0):
            self._agenda.add_later(insight, left)
            return
        await self._writer.delete(ResourceKey(DATAPLANE.name, insight.mesh, insight.name))
        log.info("deleted a dataplane that was offline for too long", dataplane=insight.name)


def _offline_since(insight: AnyResource | None) -> datetime | None:
    """When the last stream ended; None while there is one, or if there never was."""
    spec = spec_as(DataplaneInsightSpec, insight)
    if spec is None or spec.is_online or not spec.subscriptions:
        return None
    return spec.subscriptions[-1].disconnect_time


def _went_offline(change: Change) -> list[ResourceKey]:
    return [] if _offline_since(change.resource) is None else [change.key]
