"""What a job of the leader has to look at: each thing once, soon, and again after a failure.

changes -> Agenda -> the job's own `keep`, one thing after the other
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable
from datetime import timedelta
from typing import Generic, TypeVar

import structlog

from kuma.resources.errors import Conflict, NotFound, ResourceError

log = structlog.get_logger("leader")

K = TypeVar("K", bound=Hashable)

PAUSE = timedelta(milliseconds=100)
"""Between two rounds, so that what changes a thousand times at once is written a few times. The first
change of a burst does not wait."""
RETRY = timedelta(seconds=5)


class Agenda(Generic[K]):
    def __init__(self, job: str) -> None:
        self._job = job
        self._waiting: dict[K, None] = {}
        self._woken = asyncio.Event()

    def add(self, things: Iterable[K]) -> None:
        self._waiting.update(dict.fromkeys(things))
        if self._waiting:
            self._woken.set()

    async def run(self, keep: Callable[[K], Awaitable[None]]) -> None:
        """Until cancelled. `keep` may raise any ResourceError."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            batch, self._waiting = self._waiting, {}
            for thing in batch:
                await self._keep(keep, thing)
            await asyncio.sleep(PAUSE.total_seconds())

    async def _keep(self, keep: Callable[[K], Awaitable[None]], thing: K) -> None:
        """Somebody else's write in between is no failure: then the thing is looked at anew."""
        try:
            await keep(thing)
        except NotFound:
            return
        except Conflict:
            self.add([thing])
        except ResourceError as error:
            log.warning("not kept", job=self._job, what=str(thing), reason=str(error))
            asyncio.get_running_loop().call_later(RETRY.total_seconds(), self.add, [thing])
