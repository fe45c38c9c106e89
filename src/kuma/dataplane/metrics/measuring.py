"""Measures for as long as Envoy runs, whatever is wanted meanwhile."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Self

from kuma.dataplane.http import Endpoint
from kuma.dataplane.log import Log
from kuma.dataplane.metrics.dynamic_config import DynamicConfig
from kuma.dataplane.metrics.exposition import Families, write
from kuma.dataplane.metrics.push import Pushing
from kuma.dataplane.metrics.scrape import Scraper
from kuma.dataplane.metrics.server import MetricsServer
from kuma.dataplane.metrics.wanted import Wanted
from kuma.plan.machine import dynamic_config_socket, metrics_socket


class Measuring:
    """A context, entered before Envoy starts. `every`: how often Envoy is asked what to push; `address`:
    where applications are. Raises DataPlaneError."""

    def __init__(
        self,
        work_dir: Path,
        *,
        mesh: str,
        name: str,
        admin: Endpoint,
        address: str,
        every: timedelta,
        log: Log,
    ) -> None:
        log = log.named("metrics", level=log.level)
        self._config = DynamicConfig(Path(dynamic_config_socket(str(work_dir))), log)
        self._scraper = Scraper(admin, address, log)
        socket = Path(metrics_socket(str(work_dir), mesh=mesh, name=name))
        self._server = MetricsServer(socket, self._text)
        self._pushing = Pushing(self._measured, log)
        self._every = every.total_seconds()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._server.start()
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self._server.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._pushing.close()

    async def _watch(self) -> None:
        while True:
            wanted = await self._config.current()
            await self._pushing.follow(() if wanted is None else wanted.collectors)
            await asyncio.sleep(self._every)

    async def _text(self, seconds: float) -> str | None:
        found = await self._measured(seconds)
        return None if found is None else write(found[1], found[0].labels)

    async def _measured(self, seconds: float) -> tuple[Wanted, Families] | None:
        wanted = await self._config.current()
        if wanted is None:
            return None
        return wanted, await self._scraper.scrape(wanted, seconds=seconds)
