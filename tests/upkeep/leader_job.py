"""A job of the leader at work over a store in memory, and what a test does around it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from kuma.resources.kind import Kind
from kuma.resources.meta import ResourceKey
from kuma.resources.resource import AnyResource
from tests.support.site import Site


class Job(Protocol):
    async def run(self) -> None: ...


class AtWork:
    def __init__(self, site: Site, job: Callable[[], Job]) -> None:
        self.site = site
        self._job = job
        self._news = asyncio.Event()
        self.writes: list[str] = []
        site.replica.subscribe(self._heard)
        self.start()

    def start(self) -> None:
        self._task = asyncio.create_task(self._job().run())

    async def stop(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def put(self, *resources: AnyResource) -> None:
        for each in resources:
            await self.site.writer.put(each)

    async def delete(self, kind: Kind[Any], name: str) -> None:
        mesh = "default" if kind.is_mesh_scoped else ""
        await self.site.writer.delete(ResourceKey(kind.name, mesh, name))

    def find(self, kind: Kind[Any], name: str) -> Any:
        mesh = "default" if kind.is_mesh_scoped else ""
        return self.site.replica.find(ResourceKey(kind.name, mesh, name))

    async def until(self, holds: Callable[[], Any]) -> None:
        async with asyncio.timeout(30):
            while not holds():
                self._news.clear()
                await self._news.wait()

    def _heard(self, changes: Any) -> None:
        self.writes += [change.key.name for change in changes]
        self._news.set()
