"""Sends metrics to collectors, to each as often as it is to get them, and at the end.

What cannot be sent is not kept: the next has all that it had.
"""

import asyncio
from collections.abc import Awaitable, Callable

from kuma.dataplane.held import Told
from kuma.dataplane.log import Log
from kuma.dataplane.metrics.exposition import Families
from kuma.dataplane.metrics.wanted import Collector, Wanted
from kuma.dataplane.unless import unless

Measure = Callable[[float], Awaitable[tuple[Wanted, Families] | None]]
_SECONDS, _LAST_SECONDS = 10.0, 3.0


class Pushing:
    """`measure` gives what there is within so many seconds."""

    def __init__(self, measure: Measure, log: Log) -> None:
        self._measure = measure
        self._log = log
        self._tasks: dict[Collector, asyncio.Task[None]] = {}
        self._ending = asyncio.Event()

    async def follow(self, collectors: tuple[Collector, ...]) -> None:
        """Those that stay as they are keep their time."""
        await self._end([each for each in self._tasks if each not in collectors])
        for each in collectors:
            if each not in self._tasks:
                self._tasks[each] = asyncio.create_task(self._push(each))

    async def finish(self) -> None:
        """All get what there is once more, if that is quick."""
        self._ending.set()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=2 * _LAST_SECONDS)

    async def close(self) -> None:
        await self._end(list(self._tasks))

    async def _end(self, collectors: list[Collector]) -> None:
        ended = [self._tasks.pop(each) for each in collectors]
        for task in ended:
            task.cancel()
        await asyncio.gather(*ended, return_exceptions=True)

    async def _push(self, collector: Collector) -> None:
        # Only whom it concerns pays for what this loads.
        from kuma.dataplane.metrics.export import Exporter

        failed = Told(self._log, "metrics could not be sent", collector=collector.name)
        async with Exporter(collector) as exporter:
            while True:
                await unless(self._ending, asyncio.sleep(collector.every.total_seconds()))
                seconds = _LAST_SECONDS if self._ending.is_set() else _SECONDS
                try:
                    if (found := await self._measure(seconds)) is not None:
                        await exporter.export(*found, seconds=seconds)
                except Exception as error:  # whatever it is, the next attempt has all of it
                    self._log.debug("metrics could not be sent", error=repr(error))
                    failed.once_more()
                if self._ending.is_set():
                    return
