"""Sending to a thousand proxies without holding up the event loop.

A change makes many sessions ready at once. They are served in the order in which they became ready,
for a few milliseconds at a time; between the slices the loop reads, accepts and lets the kernel
carry off what was written, so that receivers work while the next ones are being served.
"""

from asyncio import get_running_loop
from collections import deque
from time import monotonic
from typing import Final, Protocol

SLICE: Final = 0.004
"""Seconds."""


class Pushable(Protocol):
    is_queued: bool

    def push(self) -> None: ...


class Pump:
    def __init__(self, *, slice_seconds: float = SLICE) -> None:
        self._slice = slice_seconds
        self._ready: deque[Pushable] = deque()
        self._scheduled = False

    def add(self, session: Pushable) -> None:
        """Have `session.push` called soon, once however often it is added before that."""
        if session.is_queued:
            return
        session.is_queued = True
        self._ready.append(session)
        if not self._scheduled:
            self._scheduled = True
            get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        # Not the loop's time, which stands still within an iteration.
        ready, end = self._ready, monotonic() + self._slice
        while ready:
            session = ready.popleft()
            session.is_queued = False
            session.push()
            if monotonic() >= end:
                break
        self._scheduled = bool(ready)
        if ready:
            get_running_loop().call_soon(self._run)
