"""Dataplanes that come with their proxy: created when it connects, deleted when it is gone for good.

A proxy may come to another instance while the one that it left is about to delete its Dataplane. So who
takes over a Dataplane gives it a new version, and who deletes one deletes the version that it last saw.

Source: Kuma, "universal" lifecycle: a Dataplane handed to `kuma-dp run` lives as long as its proxy.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog

from kuma.pipeline.fanout import ProxyKey
from kuma.resources.admission import spec_as
from kuma.resources.codec import document_bytes
from kuma.resources.errors import Conflict, NotFound, ResourceError, Unavailable
from kuma.resources.kinds.dataplane import DATAPLANE, DataplaneSpec, InboundState
from kuma.resources.kinds.dataplane_insight import (
    DATAPLANE_INSIGHT,
    DataplaneInsightSpec,
    DiscoverySubscription,
)
from kuma.resources.meta import ResourceKey
from kuma.resources.replica import Replica
from kuma.resources.resource import AnyResource, Resource
from kuma.resources.writer import Writer

log = structlog.get_logger("pipeline.registration")

_RETRY = 1.0
"""Seconds until a write is tried again that the store did not take."""


class Registrar:
    """`delay` is how long a proxy may be away before its Dataplane is deleted; `is_alone`: no other
    instance uses the store."""

    def __init__(
        self,
        writer: Writer,
        replica: Replica,
        *,
        instance: str,
        delay: timedelta,
        is_connected: Callable[[ProxyKey], bool],
        is_alone: bool = True,
    ) -> None:
        self._is_alone = is_alone
        self._writer = writer
        self._replica = replica
        self._instance = instance
        self._delay = delay
        self._is_connected = is_connected
        self._timers: dict[ProxyKey, asyncio.TimerHandle] = {}
        self._writes: set[asyncio.Task[None]] = set()
        self._deletions: dict[ProxyKey, asyncio.Task[None]] = {}
        self._closed = False

    async def register(self, dataplane: Resource[DataplaneSpec], *, size: int) -> None:
        """Create or update the Dataplane that a proxy brought, a document of `size` bytes. Raises
        ResourceError."""
        key = ProxyKey(dataplane.mesh, dataplane.name)
        self.keep(key)
        if (deletion := self._deletions.get(key)) is not None:
            await asyncio.wait([deletion])
        await self._writer.put(dataplane, size=size, afresh=self._comes_from_elsewhere(key))

    def announce(self, dataplane: Resource[DataplaneSpec]) -> None:
        """The proxy that brought it, and was registered as not ready, may get requests now."""
        self._spawn(self._announce(dataplane))

    async def _announce(self, dataplane: Resource[DataplaneSpec]) -> None:
        if self._replica.find(dataplane.key) is None:
            return
        try:
            await self._writer.put(dataplane, size=len(document_bytes(dataplane)))
        except Unavailable:
            asyncio.get_running_loop().call_later(_RETRY, self.announce, dataplane)
        except ResourceError as error:
            log.warning("a dataplane stays not ready", dataplane=dataplane.name, reason=str(error))

    def keep(self, key: ProxyKey) -> None:
        """The proxy is (back) here: do not delete its Dataplane."""
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()

    async def mark_leaving(self, dataplane: Resource[DataplaneSpec]) -> None:
        """Its inbounds are not ready any more, so that nobody sends requests there; the proxy is
        ready again when it registers again. Raises ResourceError."""
        await self._writer.put(not_ready(dataplane), size=len(document_bytes(dataplane)))

    def release(self, key: ProxyKey, *, for_good: bool = False) -> None:
        """The last stream of a proxy that brought its Dataplane ended. `for_good`: it said before
        that it would, so nobody waits for it."""
        if self._closed:
            return
        self.keep(key)
        loop, delay = asyncio.get_running_loop(), timedelta(0) if for_good else self._delay
        seen = self._replica.find(_dataplane_key(key))
        self._timers[key] = loop.call_later(delay.total_seconds(), self._expire, key, seen)

    def close(self) -> None:
        """The control plane stops: proxies will reconnect to it or to another instance, so nothing
        is deleted from now on."""
        self._closed = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _expire(self, key: ProxyKey, seen: AnyResource | None) -> None:
        self._timers.pop(key, None)
        if not self._is_connected(key) and not self._is_connected_elsewhere(key):
            self._deletions[key] = self._spawn(self._delete(key, seen))
            self._deletions[key].add_done_callback(lambda _: self._deletions.pop(key))

    async def _delete(self, key: ProxyKey, seen: AnyResource | None) -> None:
        try:
            await self._writer.delete(_dataplane_key(key), seen=seen)
        except NotFound:
            return
        except (Conflict, Unavailable):
            self.release(key)
        except ResourceError as error:
            log.warning("a dataplane was not deregistered", dataplane=key.name, reason=str(error))
        else:
            log.info("deregistered a dataplane", mesh=key.mesh, dataplane=key.name)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return task

    def _is_connected_elsewhere(self, key: ProxyKey) -> bool:
        return any(
            each.is_online and each.control_plane_instance_id != self._instance
            for each in self._subscriptions(key)
        )

    def _comes_from_elsewhere(self, key: ProxyKey) -> bool:
        """Another instance had it last, which may be about to delete its Dataplane."""
        if self._is_alone:
            return False
        last = self._subscriptions(key)[-1:]
        return not last or last[0].control_plane_instance_id != self._instance

    def _subscriptions(self, key: ProxyKey) -> Sequence[DiscoverySubscription]:
        insight = ResourceKey(DATAPLANE_INSIGHT.name, key.mesh, key.name)
        spec = spec_as(DataplaneInsightSpec, self._replica.find(insight))
        return spec.subscriptions if spec else ()


def _dataplane_key(key: ProxyKey) -> ResourceKey:
    return ResourceKey(DATAPLANE.name, key.mesh, key.name)


def not_ready(dataplane: Resource[DataplaneSpec]) -> Resource[DataplaneSpec]:
    """The same with inbounds that get no requests."""
    networking = dataplane.spec.networking
    inbound = tuple(
        each.model_copy(update={"state": InboundState.NOT_READY})
        if each.state is InboundState.READY
        else each
        for each in networking.inbound
    )
    networking = networking.model_copy(update={"inbound": inbound})
    spec = dataplane.spec.model_copy(update={"networking": networking})
    return replace(dataplane, spec=spec)
