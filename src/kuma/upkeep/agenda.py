"""What a job of the leader has to look at: each thing once, soon, and again at its time or after a
failure.

    all there is, then each change -> touched(change) -> Agenda -> the job's own keep(thing)
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Generic, TypeVar

import structlog

from kuma.resources.errors import AlreadyExists, Conflict, NotFound, ResourceError
from kuma.resources.replica import Replica
from kuma.resources.store import Change

log = structlog.get_logger("leader")

K = TypeVar("K", bound=Hashable)
Touched = Mapping[str, Callable[[Change], Iterable[K]]]
"""By kind: what a change gives to look at."""
Keep = Callable[[K], Awaitable[None]]
"""Makes a thing what it should be. May raise any ResourceError."""

PAUSE = timedelta(milliseconds=100)
"""Between two rounds, so that what changes a thousand times at once is written a few times. The first
change of a burst does not wait."""
RETRY = timedelta(seconds=5)


class Agenda(Generic[K]):
    def __init__(self, job: str) -> None:
        self._job = job
        self._waiting: dict[K, None] = {}
        self._later: dict[K, asyncio.TimerHandle] = {}
        self._woken = asyncio.Event()

    def add(self, things: Iterable[K]) -> None:
        self._waiting.update(dict.fromkeys(things))
        if self._waiting:
            self._woken.set()

    def add_later(self, thing: K, wait: timedelta) -> None:
        """If nothing makes the job look at it before, which ends the wait."""
        self._stop_waiting(thing)
        seconds = max(wait.total_seconds(), 0.0)
        self._later[thing] = asyncio.get_running_loop().call_later(seconds, self.add, [thing])

    async def run(self, replica: Replica, touched: Touched[K], keep: Keep[K]) -> None:
        """Until cancelled. What there is at the start counts as changed, kind by kind."""

        def changed(changes: Sequence[Change]) -> None:
            for change in changes:
                if (give := touched.get(change.key.kind)) is not None:
                    self.add(give(change))

        stop = replica.subscribe(changed)
        try:
            for kind in touched:
                changed([Change(each.key, each) for each in replica.list(kind)])
            while True:
                await self._round(keep)
        finally:
            stop()
            for thing in tuple(self._later):
                self._stop_waiting(thing)

    async def _round(self, keep: Keep[K]) -> None:
        await self._woken.wait()
        self._woken.clear()
        batch, self._waiting = self._waiting, {}
        for thing in batch:
            self._stop_waiting(thing)
            await self._keep(keep, thing)
            await asyncio.sleep(0)  # one change may touch a thousand
        await asyncio.sleep(PAUSE.total_seconds())

    async def _keep(self, keep: Keep[K], thing: K) -> None:
        """Somebody else's write in between is no failure: then the thing is looked at anew."""
        try:
            await keep(thing)
        except NotFound:
            return
        except (AlreadyExists, Conflict):
            self.add([thing])
        except ResourceError as error:
            log.warning("not kept", job=self._job, what=str(thing), reason=str(error))
            self.add_later(thing, RETRY)

    def _stop_waiting(self, thing: K) -> None:
        if (timer := self._later.pop(thing, None)) is not None:
            timer.cancel()
