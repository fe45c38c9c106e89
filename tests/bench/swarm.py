"""A process full of Envoys, told by lines of JSON on stdin, answering with lines on stdout.

    python -m tests.bench.swarm '{"shape": {...}, "address": ..., ...}'

It ends with its stdin. Times are of the monotonic clock, which all processes of a machine share.
"""

import asyncio
import gc
import json
import random
import ssl
import sys
from collections import Counter
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from kuma.envoy.snapshot import TypeUrl
from tests.bench.facts import Reader
from tests.bench.proxy import Connection, Proxy, Settings
from tests.bench.requests import Delta, StateOfTheWorld
from tests.bench.shape import MESH, Shape

HANDSHAKE_TIMEOUT = 60.0
RETRY = 0.2
"""Seconds; Envoy starts with 0.5 and backs off, which would measure the backoff."""


@dataclass
class Counters:
    messages: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    last: float = 0.0
    reconnects: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


class Swarm:
    """Proxies `first` to `last` of the shape; the Observer of them all."""

    def __init__(
        self, shape: Shape, address: str, settings: Settings, *, ca_file: str = ""
    ) -> None:
        self._shape = shape
        url = urlsplit(address)
        self._host, self._port = url.hostname or "127.0.0.1", url.port or 5678
        self._settings = settings
        self._tls = _client_context(ca_file)
        self._connections: dict[int, Connection] = {}
        self.proxies: dict[int, Proxy] = {}
        self.configured_at: dict[int, float] = {}
        self.counters = Counters()
        self._shown: dict[tuple[str, int], list[float]] = {}
        self._news = asyncio.Condition()
        self._telling = False
        self._closing = False
        self._tasks: set[asyncio.Task[None]] = set()

    def connect(self, first: int, last: int) -> None:
        for index in range(first, last):
            if index not in self.proxies:
                node = f"{MESH}.{self._shape.name(index)}"
                metadata = self._shape.metadata(index)
                self.proxies[index] = Proxy(index, node, metadata, self._settings)
            self._spawn(self.proxies[index], 0)

    async def until_configured(self, count: int, timeout: float) -> bool:
        return await self._until(lambda: len(self.configured_at) >= count, timeout)

    async def until_shown(self, kind: str, change: int, count: int, timeout: float) -> list[float]:
        """When each proxy showed a change, of those `count` that should."""
        times = self._shown.setdefault((TypeUrl[kind], change), [])
        await self._until(lambda: len(times) >= count, timeout)
        return times

    async def until_quiet(self, seconds: float, timeout: float) -> bool:
        end = monotonic() + timeout
        while monotonic() < end:
            rest = self.counters.last + seconds - monotonic()
            if rest <= 0:
                return True
            await asyncio.sleep(rest)
        return False

    def close(self) -> None:
        self._closing = True
        for task in self._tasks:
            task.cancel()
        for connection in tuple(self._connections.values()):
            connection.close()

    # Observer

    def received(self, proxy: Proxy, type_url: TypeUrl, size: int) -> None:
        counters = self.counters
        counters.messages[type_url.name] += 1
        counters.bytes[type_url.name] += size
        counters.last = monotonic()

    def showed(self, proxy: Proxy, type_url: TypeUrl, before: int, change: int) -> None:
        now = monotonic()
        for each in range(max(before, 0) + 1, change + 1):
            self._shown.setdefault((type_url, each), []).append(now)
        self._tell()

    def configured(self, proxy: Proxy) -> None:
        self.configured_at[proxy.index] = monotonic()
        self._tell()

    def gone(self, proxy: Proxy, reason: str) -> None:
        self._connections.pop(proxy.index, None)
        self.configured_at.pop(proxy.index, None)
        self._tell()
        if not self._closing:
            self.counters.reconnects += 1
            self.counters.reasons[reason] += 1
            self._spawn(proxy, random.uniform(RETRY / 2, RETRY))

    # Connecting

    def _spawn(self, proxy: Proxy, delay: float) -> None:
        task = asyncio.get_running_loop().create_task(self._join(proxy, delay))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _join(self, proxy: Proxy, delay: float) -> None:
        loop = asyncio.get_running_loop()
        while not self._closing:
            await asyncio.sleep(delay)
            connection = proxy.connect(self)
            try:
                await loop.create_connection(
                    lambda: connection,  # noqa: B023 - called before the next turn
                    self._host,
                    self._port,
                    ssl=self._tls,
                    server_hostname="localhost",
                    ssl_handshake_timeout=HANDSHAKE_TIMEOUT,
                )
            except OSError:
                delay = random.uniform(RETRY / 2, RETRY)
                continue
            if not self._closing:
                self._connections[proxy.index] = connection
            return

    async def _until(self, holds: Any, timeout: float) -> bool:
        try:
            async with asyncio.timeout(timeout), self._news:
                await self._news.wait_for(holds)
        except TimeoutError:
            return False
        return True

    def _tell(self) -> None:
        """Wake those who wait once a turn of the loop, not for each of a thousand proxies."""
        if not self._telling:
            self._telling = True
            task = asyncio.get_running_loop().create_task(self._wake())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _wake(self) -> None:
        self._telling = False
        async with self._news:
            self._news.notify_all()


def _client_context(ca_file: str) -> ssl.SSLContext:
    if ca_file:
        context = ssl.create_default_context(cafile=ca_file)
    else:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context


class Commands:
    """What stdin may ask for; each gives a JSON object."""

    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm

    async def connect(self, first: int, last: int) -> dict[str, Any]:
        self._swarm.connect(first, last)
        return {}

    async def configured(self, count: int, timeout: float) -> dict[str, Any]:
        done = await self._swarm.until_configured(count, timeout)
        gc.collect()
        gc.freeze()
        return {"done": done, "times": sorted(self._swarm.configured_at.values())}

    async def shown(self, kind: str, change: int, count: int, timeout: float) -> dict[str, Any]:
        return {"times": await self._swarm.until_shown(kind, change, count, timeout)}

    async def quiet(self, seconds: float, timeout: float) -> dict[str, Any]:
        done = await self._swarm.until_quiet(seconds, timeout)
        return {"done": done, "last": self._swarm.counters.last}

    async def counters(self) -> dict[str, Any]:
        counters = self._swarm.counters
        return {
            "messages": dict(counters.messages),
            "bytes": dict(counters.bytes),
            "last": counters.last,
            "reconnects": counters.reconnects,
            "reasons": dict(counters.reasons.most_common(5)),
        }


async def run(options: dict[str, Any]) -> None:
    variant = StateOfTheWorld() if options["sotw"] else Delta()
    settings = Settings(
        variant, Reader(variant.is_delta), options["token"], withholds=options["withholds"]
    )
    swarm = Swarm(
        Shape(**options["shape"]), options["address"], settings, ca_file=options["ca_file"]
    )
    commands = Commands(swarm)
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        asked = json.loads(line)
        answer = await getattr(commands, asked.pop("do"))(**asked)
        print(json.dumps(answer), flush=True)
    swarm.close()


if __name__ == "__main__":
    import resource

    import uvloop

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    uvloop.run(run(json.loads(sys.argv[1])))
