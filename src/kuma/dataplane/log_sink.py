"""Entries of the access log on their way to one address: kept while it cannot be reached, and dropped
when they become too many, which is told.

Entries that the other side's machine has taken, and nobody has read there, are lost with it.
"""

import asyncio
import contextlib
from collections.abc import Callable

from kuma.dataplane.held import Held, Told
from kuma.dataplane.log import Log
from kuma.dataplane.unless import unless

_MOST_HELD = 1 << 19
"""Bytes of entries that wait."""
_BATCH = 1 << 16
_CONNECT_SECONDS = 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 10.0
_IDLE_SECONDS = 300.0


class LogSink:
    """`on_idle` is called when there has been nothing to send for minutes, and nothing is kept."""

    def __init__(self, address: str, log: Log, *, on_idle: Callable[["LogSink"], None]) -> None:
        self.address = address
        self._log = log
        self._on_idle = on_idle
        self._held = Held(_MOST_HELD)
        self._pause = _FIRST_PAUSE
        self._is_down = False
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()
        self._emptied.set()
        self._dropped = Told(log, "entries of the access log were dropped", address=address)
        self._task = asyncio.create_task(self._run())

    def offer(self, entry: bytes) -> None:
        """Never waits."""
        if not self._held.add(entry):
            self._dropped.once_more()
            return
        self._emptied.clear()
        self._filled.set()

    async def close(self, seconds: float) -> None:
        """Gives what is held that time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._emptied.wait()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self._held:
            self._dropped.once_more(len(self._held))
        self._dropped.tell()

    async def _run(self) -> None:
        while await self._is_wanted():
            try:
                await self._connected()
            except (OSError, ValueError) as error:
                self._tell_down(error)
            await asyncio.sleep(self._pause)
            self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        self._on_idle(self)

    async def _is_wanted(self) -> bool:
        """Whether something came within the time after which the address is forgotten."""
        try:
            async with asyncio.timeout(_IDLE_SECONDS):
                await self._filled.wait()
        except TimeoutError:
            return bool(self._held)
        return True

    async def _connected(self) -> None:
        """Until the other side ends the connection, or nothing more is wanted. Something is sent in
        any case: there are those who say at once that they say nothing, and listen."""
        host, _, port = self.address.rpartition(":")
        async with asyncio.timeout(_CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        writer.transport.set_write_buffer_limits(high=0)  # `drain` then waits for all of it
        gone = asyncio.Event()
        reading = asyncio.create_task(_until_gone(reader, gone))
        try:
            await self._send_batch(writer)
            await unless(gone, self._send(writer))
        finally:
            reading.cancel()
            writer.transport.abort() if self._held else writer.close()

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        while await self._is_wanted():
            await self._send_batch(writer)

    async def _send_batch(self, writer: asyncio.StreamWriter) -> None:
        batch = self._held.first(_BATCH)
        writer.write(b"".join(batch))
        await writer.drain()
        self._sent(len(batch))

    def _sent(self, count: int) -> None:
        self._held.forget(count)
        self._pause = _FIRST_PAUSE
        if self._is_down:
            self._is_down = False
            self._dropped.tell()
            self._log.info("access logs are sent again", address=self.address)
        if not self._held:
            self._filled.clear()
            self._emptied.set()

    def _tell_down(self, error: Exception) -> None:
        """Once, until it is reached again."""
        if not self._is_down:
            self._is_down = True
            reason = str(error) or type(error).__name__
            self._log.warning("access logs cannot be sent", address=self.address, error=reason)


async def _until_gone(reader: asyncio.StreamReader, gone: asyncio.Event) -> None:
    """What the other side says is not of interest, that it ends is."""
    with contextlib.suppress(OSError):
        while await reader.read(_BATCH):
            pass
    gone.set()
