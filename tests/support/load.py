"""Constant requests over HTTP/1, on connections that are kept and on new ones, counting failures.

async with constant_load(port) as load:
    ...
    await load.more(100)
assert load.failures == []
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import perf_counter

HOST = "127.0.0.1"
PACE = 0.004
"""Seconds between two requests of a worker: the test shares its cores with what it tests."""
_PATIENCE = 60.0


class Load:
    """`failures` tells of each request without an answer of status 200."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._started = perf_counter()
        self._answered = asyncio.Event()
        self.requests = 0
        self.failures: list[str] = []

    async def more(self, count: int, within: float = _PATIENCE) -> None:
        """Until so many further requests were answered, well or badly."""
        wanted = self.requests + count
        async with asyncio.timeout(within):
            while self.requests < wanted:
                self._answered.clear()
                await self._answered.wait()

    async def keep(self) -> None:
        """A client that keeps its connection as long as the server lets it."""
        while True:
            with suppress(OSError, EOFError):
                await self._on_one_connection()

    async def renew(self) -> None:
        """A client that opens a connection for each request."""
        while True:
            with suppress(OSError, EOFError):
                await self._on_one_connection(once=True)

    async def _on_one_connection(self, *, once: bool = False) -> None:
        writer = None
        try:
            reader, writer = await asyncio.open_connection(HOST, self._port)
            while await self._request(reader, writer, once=once):
                await asyncio.sleep(PACE)
        except TimeoutError:
            self._fail("no answer")
        except (OSError, EOFError) as error:
            self._fail(f"{type(error).__name__}: {error}")
        finally:
            if writer is not None:
                writer.close()
        await asyncio.sleep(PACE)

    async def _request(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, once: bool
    ) -> bool:
        """Whether the connection may be used again."""
        close = "connection: close\r\n" if once else ""
        writer.write(f"GET / HTTP/1.1\r\nhost: load\r\n{close}\r\n".encode())
        async with asyncio.timeout(_PATIENCE):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            headers = dict(line.split(": ", 1) for line in head.strip().split("\r\n")[1:])
            body = await reader.readexactly(int(headers["content-length"]))
        if head.split()[1] == "200":
            self._answer()
        else:
            self._fail(f"{head.split()[1]} {body.decode(errors='replace')}")
        return not once and headers.get("connection") != "close"

    def _fail(self, what: str) -> None:
        self.failures.append(f"after {perf_counter() - self._started:.3f} s: {what}")
        self._answer()

    def _answer(self) -> None:
        self.requests += 1
        self._answered.set()


@asynccontextmanager
async def constant_load(port: int, *, kept: int = 2, renewed: int = 2) -> AsyncIterator[Load]:
    """Requests to `port` of this machine by `kept` and `renewed` clients; under way once entered."""
    load = Load(port)
    clients = [load.keep() for _ in range(kept)] + [load.renew() for _ in range(renewed)]
    tasks = [asyncio.create_task(client) for client in clients]
    try:
        await load.more(10)
        yield load
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
