"""Streams that an instance left open in the insights because it died. A job of the leader.

A proxy that reconnects closes its own (insights.py); this is for those that do not come back.
Source: Kuma, `metrics.dataplane.idleTimeout`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

import structlog

from kuma.kit.clock import Clock
from kuma.pipeline.subscription import as_timestamp
from kuma.resources.errors import ResourceError
from kuma.resources.kinds.dataplane_insight import DATAPLANE_INSIGHT, DataplaneInsightSpec
from kuma.resources.replica import Replica
from kuma.resources.resource import AnyResource, Resource
from kuma.resources.store import Store, Update

log = structlog.get_logger("left-open")


class LeftOpen:
    """`is_connected` tells whether an instance is alive; None: there are no others, so one look
    when this one starts is enough."""

    def __init__(
        self,
        store: Store,
        replica: Replica,
        clock: Clock,
        *,
        instance: str,
        is_connected: Callable[[str], Awaitable[bool]] | None,
        every: timedelta,
    ) -> None:
        self._store = store
        self._replica = replica
        self._clock = clock
        self._instance = instance
        self._is_connected = is_connected
        self._every = every

    async def run(self) -> None:
        """Until cancelled, or done where there are no other instances."""
        while True:
            await self.close()
            if self._is_connected is None:
                return
            await asyncio.sleep(self._every.total_seconds())

    async def close(self) -> None:
        """Write an end to the streams of instances that are gone."""
        open_ = {i.key: i for i in self._replica.list(DATAPLANE_INSIGHT) if _instances(i)}
        try:
            alive = {
                name: await self._is_alive(name) for i in open_.values() for name in _instances(i)
            }
        except ResourceError as error:
            log.warning("cannot see which instances are alive", reason=str(error))
            return
        for insight in open_.values():
            if any(not alive[name] for name in _instances(insight)):
                await self._write(_closed(insight, alive, self._clock.now()))

    async def _is_alive(self, instance: str) -> bool:
        if instance == self._instance:
            return True
        return self._is_connected is not None and await self._is_connected(instance)

    async def _write(self, insight: AnyResource) -> None:
        try:
            await self._store.commit([Update(insight)])
        except ResourceError as error:
            # Its proxy is writing it, or it is gone: then there is nothing left to close.
            log.debug("an insight was left as it is", insight=insight.name, reason=str(error))


def _instances(insight: AnyResource) -> frozenset[str]:
    """The instances with an open stream of this proxy."""
    spec = insight.spec
    if not isinstance(spec, DataplaneInsightSpec):
        return frozenset()
    return frozenset(s.control_plane_instance_id for s in spec.subscriptions if s.is_online)


def _closed(insight: AnyResource, alive: Mapping[str, bool], now: datetime) -> AnyResource:
    document = insight.spec.to_json()
    for subscription in document.get("subscriptions", ()):
        if "disconnectTime" in subscription or alive.get(subscription["controlPlaneInstanceId"]):
            continue
        subscription["disconnectTime"] = as_timestamp(now)
    return Resource(DATAPLANE_INSIGHT, insight.meta, DataplaneInsightSpec.model_validate(document))
