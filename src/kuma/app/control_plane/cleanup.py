"""Deletes Dataplanes that have been offline for too long. A job of the leader.

Woken by the date at which the next one is due, or by a Dataplane going offline; it does not scan.
Source: Kuma, `runtime.universal.dataplaneCleanupAge`.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from kuma.kit.clock import Clock
from kuma.resources.errors import NotFound, ResourceError
from kuma.resources.kinds.dataplane import DATAPLANE
from kuma.resources.kinds.dataplane_insight import DATAPLANE_INSIGHT, DataplaneInsightSpec
from kuma.resources.meta import ResourceKey
from kuma.resources.replica import Replica
from kuma.resources.resource import AnyResource
from kuma.resources.store import Change
from kuma.resources.writer import Writer

log = structlog.get_logger("cleanup")

RETRY = timedelta(minutes=1)


class Cleanup:
    def __init__(self, replica: Replica, writer: Writer, clock: Clock, *, age: timedelta) -> None:
        self._replica = replica
        self._writer = writer
        self._clock = clock
        self._age = age

    async def run(self) -> None:
        """Until cancelled."""
        woken = asyncio.Event()

        def changed(changes: Sequence[Change]) -> None:
            if any(_went_offline(change) for change in changes):
                woken.set()

        stop = self._replica.subscribe(changed)
        try:
            while True:
                woken.clear()
                due = await self._delete_due()
                await _wait(woken, None if due is None else due - self._clock.now())
        finally:
            stop()

    async def _delete_due(self) -> datetime | None:
        """Delete what is due; when the next one is."""
        next_due: datetime | None = None
        for insight in self._replica.list(DATAPLANE_INSIGHT):
            since = offline_since(insight)
            if since is None:
                continue
            due = since + self._age
            if due <= self._clock.now() and not await self._delete(insight):
                due = self._clock.now() + RETRY
            if due > self._clock.now() and (next_due is None or due < next_due):
                next_due = due
        return next_due

    async def _delete(self, insight: AnyResource) -> bool:
        key = ResourceKey(DATAPLANE.name, insight.mesh, insight.name)
        try:
            await self._writer.delete(key)
        except NotFound:
            return True
        except ResourceError as error:
            log.warning(
                "an offline dataplane was not deleted", dataplane=key.name, reason=str(error)
            )
            return False
        log.info("deleted a dataplane that was offline for too long", dataplane=key.name)
        return True


def offline_since(insight: AnyResource) -> datetime | None:
    """When the last stream ended; None while there is one, or if there never was."""
    spec = insight.spec
    if not isinstance(spec, DataplaneInsightSpec) or spec.is_online or not spec.subscriptions:
        return None
    return spec.subscriptions[-1].disconnect_time


def _went_offline(change: Change) -> bool:
    return (
        change.key.kind == DATAPLANE_INSIGHT.name
        and change.resource is not None
        and offline_since(change.resource) is not None
    )


async def _wait(event: asyncio.Event, at_most: timedelta | None) -> None:
    try:
        async with asyncio.timeout(None if at_most is None else max(at_most.total_seconds(), 0.0)):
            await event.wait()
    except TimeoutError:
        return
