"""Dataplanes that come with their proxy: created when it connects, deleted when it is gone for good.

Source: Kuma, "universal" lifecycle: a Dataplane handed to `kuma-dp run` lives as long as its proxy.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog

from kuma.pipeline.fanout import ProxyKey
from kuma.resources.codec import document_bytes
from kuma.resources.errors import NotFound, ResourceError, Unavailable
from kuma.resources.kinds.dataplane import DATAPLANE, DataplaneSpec, InboundState
from kuma.resources.kinds.dataplane_insight import DATAPLANE_INSIGHT, DataplaneInsightSpec
from kuma.resources.meta import ResourceKey
from kuma.resources.replica import Replica
from kuma.resources.resource import Resource
from kuma.resources.writer import Writer

log = structlog.get_logger("pipeline.registration")

_RETRY = 1.0
"""Seconds until a write is tried again that the store did not take."""


class Registrar:
    """`delay` is how long a proxy may be away before its Dataplane is deleted."""

    def __init__(
        self,
        writer: Writer,
        replica: Replica,
        *,
        instance: str,
        delay: timedelta,
        is_connected: Callable[[ProxyKey], bool],
    ) -> None:
        self._writer = writer
        self._replica = replica
        self._instance = instance
        self._delay = delay
        self._is_connected = is_connected
        self._timers: dict[ProxyKey, asyncio.TimerHandle] = {}
        self._writes: set[asyncio.Task[None]] = set()
        self._closed = False

    async def register(self, dataplane: Resource[DataplaneSpec], *, size: int) -> None:
        """Create or update the Dataplane that a proxy brought, a document of `size` bytes. Raises
        ResourceError."""
        self.keep(ProxyKey(dataplane.mesh, dataplane.name))
        await self._writer.put(dataplane, size=size)

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
        self._timers[key] = loop.call_later(delay.total_seconds(), self._expire, key)

    def close(self) -> None:
        """The control plane stops: proxies will reconnect to it or to another instance, so nothing
        is deleted from now on."""
        self._closed = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _expire(self, key: ProxyKey) -> None:
        self._timers.pop(key, None)
        if not self._is_connected(key) and not self._is_connected_elsewhere(key):
            self._spawn(self._delete(key))

    async def _delete(self, key: ProxyKey) -> None:
        try:
            await self._writer.delete(ResourceKey(DATAPLANE.name, key.mesh, key.name))
        except NotFound:
            return
        except Unavailable:
            self.release(key)
        except ResourceError as error:
            log.warning("a dataplane was not deregistered", dataplane=key.name, reason=str(error))
        else:
            log.info("deregistered a dataplane", mesh=key.mesh, dataplane=key.name)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)

    def _is_connected_elsewhere(self, key: ProxyKey) -> bool:
        found: Resource[Any] | None = self._replica.find(
            ResourceKey(DATAPLANE_INSIGHT.name, key.mesh, key.name)
        )
        if found is None or not isinstance(found.spec, DataplaneInsightSpec):
            return False
        return any(
            each.is_online and each.control_plane_instance_id != self._instance
            for each in found.spec.subscriptions
        )


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
