"""Measures for as long as Envoy runs, whatever is wanted meanwhile."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Self

from kuma.dataplane.dynamic_config import DynamicConfig
from kuma.dataplane.http import Endpoint
from kuma.dataplane.log import Log
from kuma.dataplane.metrics.exposition import Families, write
from kuma.dataplane.metrics.own import own_families
from kuma.dataplane.metrics.push import Pushing
from kuma.dataplane.metrics.scrape import Scraper
from kuma.dataplane.metrics.server import MetricsServer
from kuma.dataplane.metrics.wanted import PATH, Collector, Wanted, parse_wanted
from kuma.dataplane.otel.pipe import OtelPipe
from kuma.plan.machine import dynamic_config_socket, metrics_socket


class Measuring:
    """A context, entered before Envoy starts. `every`: how often Envoy is asked what to push; `address`:
    where applications are, which are called from `source`, if there is one; `pipe` has collectors that
    kuma-dp sends on to. Raises DataPlaneError."""

    def __init__(
        self,
        work_dir: Path,
        *,
        mesh: str,
        name: str,
        admin: Endpoint,
        address: str,
        source: str,
        every: timedelta,
        pipe: OtelPipe,
        log: Log,
    ) -> None:
        log = log.named("metrics", level=log.level)
        at = Path(dynamic_config_socket(str(work_dir)))
        self._config = DynamicConfig(at, PATH, parse_wanted, log)
        self._pipe = pipe
        self._scraper = Scraper(admin, address, log, own=self._own, source=source)
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
        await self._stop()
        await self._pushing.close()

    async def finish(self) -> None:
        """While Envoy can still be asked: collectors get what there is."""
        await self._stop()
        await self._follow()
        await self._pushing.finish()

    async def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _own(self) -> Families:
        return own_families((self._config.asked, self._pipe.asked))

    async def _watch(self) -> None:
        while True:
            await self._follow()
            await asyncio.sleep(self._every)

    async def _follow(self) -> None:
        wanted = await self._config.current()
        piped = (Collector(*each) for each in self._pipe.measured)
        await self._pushing.follow(() if wanted is None else (*wanted.collectors, *piped))

    async def _text(self, seconds: float, query: str) -> str | None:
        found = await self._measured(seconds, query)
        return None if found is None else write(found[1], found[0].labels)

    async def _measured(self, seconds: float, query: str = "") -> tuple[Wanted, Families] | None:
        wanted = await self._config.current()
        if wanted is None:
            return None
        return wanted, await self._scraper.scrape(wanted, seconds=seconds, query=query)
