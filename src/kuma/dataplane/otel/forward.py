"""One signal on its way to a collector: held while that cannot be reached, and dropped when it becomes too
much, which is told.

Messages that wait are sent as one: those of protobuf, put together, are the message with the parts of
all. Source: https://protobuf.dev/programming-guides/encoding/#last-one-wins
"""

import asyncio
import contextlib
import random

from kuma.dataplane.held import Held, Told
from kuma.dataplane.log import Log
from kuma.dataplane.otel.merge import Target
from kuma.dataplane.otel.send import NotSent, NotTaken, Send, connected
from kuma.dataplane.unless import unless
from kuma.plan.signal import Signal

MOST_HELD = 1 << 23
"""Bytes that wait; also the longest message."""
_BATCH = 1 << 20
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0


class Forwarder:
    """`backend` is its name; `ca_file` has the machine's CAs."""

    def __init__(
        self, target: Target, signal: Signal, backend: str, log: Log, *, ca_file: str
    ) -> None:
        self.target = target
        self._signal = signal
        self._ca_file = ca_file
        self._log = log
        self._about = {"signal": str(signal), "backend": backend}
        self._held = Held(MOST_HELD)
        self._pause = _FIRST_PAUSE
        self._is_down = False
        self._filled = asyncio.Event()
        self._ending = asyncio.Event()
        self._full = Told(
            log, "what collectors are sent was dropped: too much waits", **self._about
        )
        self._refused = Told(log, "a collector does not take what it is sent", **self._about)
        self._task = asyncio.create_task(self._run())

    def offer(self, message: bytes) -> bool:
        """Whether it is taken. Never waits."""
        if not message:
            return True
        if not self._held.add(message):
            self._full.once_more()
            return False
        self._filled.set()
        return True

    async def move(self, target: Target) -> None:
        """What waits goes to the new one."""
        await self._stop()
        self.target, self._pause = target, _FIRST_PAUSE
        self._task = asyncio.create_task(self._run())

    async def close(self, seconds: float) -> None:
        """Gives what is held that time, unless an attempt fails."""
        self._ending.set()
        self._filled.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._task
        await self._stop()
        if self._held:
            self._full.once_more(len(self._held))
        self._full.tell()
        self._refused.tell()

    async def _stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while await self._has_more():
            is_last = self._ending.is_set()
            try:
                async with connected(self.target, self._signal, ca_file=self._ca_file) as send:
                    await self._send_all(send)
            except NotSent as error:
                await self._wait(str(error), error.after)
            except Exception as error:  # whatever it is, all is held, and tried again
                await self._wait(repr(error), 0.0)
            else:
                continue
            if is_last:
                return

    async def _has_more(self) -> bool:
        """False: it is ending."""
        await self._filled.wait()
        return bool(self._held)

    async def _send_all(self, send: Send) -> None:
        """As long as the connection holds."""
        while self._held:
            batch = self._held.first(_BATCH)
            try:
                await send(b"".join(batch))
            except NotTaken as error:
                self._log.debug("a collector does not take it", error=str(error), **self._about)
                self._refused.once_more(len(batch))
            self._sent(len(batch))
            if not self._ending.is_set():
                await self._filled.wait()

    def _sent(self, count: int) -> None:
        self._held.forget(count)
        self._pause = _FIRST_PAUSE
        if self._is_down:
            self._is_down = False
            self._full.tell()
            self._log.info("a collector is sent to again", **self._about)
        if not self._held and not self._ending.is_set():
            self._filled.clear()

    async def _wait(self, error: str, after: float) -> None:
        """Told once, until it is reached again. The pauses grow, and are not the same for all proxies."""
        if not self._is_down:
            self._is_down = True
            where = {"endpoint": self.target.endpoint, "error": error}
            self._log.warning("a collector cannot be sent to", **self._about, **where)
        pause = max(self._pause * random.uniform(0.5, 1.0), min(after, _LONGEST_PAUSE))  # noqa: S311
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        await unless(self._ending, asyncio.sleep(pause))
