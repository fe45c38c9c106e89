"""MeshTimeout: what takes too long ends, on the side of the caller and on that of the called."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.support.mesh import HOST, until
from tests.support.processes import free_ports
from tests.system.policies.conftest import API, NO_RETRIES, World, spiffe, to

pytestmark = pytest.mark.asyncio(loop_scope="package")

SLOW = 1.0


@pytest.fixture(autouse=True)
def slow(world: World) -> None:
    world.v1.delay = world.v2.delay = lambda path: SLOW if path.startswith("/slow") else 0.0


async def test_a_request_that_takes_too_long_gets_504(world: World) -> None:
    async with world.applied("MeshTimeout", to("api", {"http": {"requestTimeout": "200ms"}})):
        await until(lambda: world.status("/slow"), (504).__eq__)
        assert await world.status("/quick") == 200
    await until(lambda: world.status("/slow"), (200).__eq__)


@pytest.mark.parametrize("limit", ["streamIdleTimeout", "maxStreamDuration"])
async def test_a_stream_has_limits_of_its_own(world: World, limit: str) -> None:
    conf = {"http": {"requestTimeout": "0s", limit: "200ms"}}
    async with world.applied("MeshTimeout", to("api", conf)):
        await until(lambda: world.status("/slow"), lambda status: status in {408, 504})
        assert await world.status("/quick") == 200
    await until(lambda: world.status("/slow"), (200).__eq__)


async def test_one_route_has_a_timeout_of_its_own(world: World) -> None:
    match = {"path": {"type": "PathPrefix", "value": "/slow/short"}}
    target = {"kind": "MeshService", "name": "api"}
    route = {"to": [{"targetRef": target, "rules": [{"matches": [match], "default": {}}]}]}
    short = to("short", {"http": {"requestTimeout": "200ms"}}, "MeshHTTPRoute")
    async with (
        world.applied("MeshHTTPRoute", route, "short"),
        world.applied("MeshTimeout", short),
    ):
        await until(lambda: world.status("/slow/short"), (504).__eq__)
        assert await world.status("/slow/long") == 200
    await until(lambda: world.status("/slow/short"), (200).__eq__)


async def test_the_called_side_limits_requests_of_the_clients_that_are_meant(world: World) -> None:
    rule = {"matches": [spiffe("other")], "default": {"http": {"requestTimeout": "200ms"}}}
    async with world.applied("MeshTimeout", {"targetRef": API, "rules": [rule]}):
        await until(lambda: world.status("/slow", of=world.other), (504).__eq__)
        assert await world.status("/slow") == 200
    await until(lambda: world.status("/slow", of=world.other), (200).__eq__)


async def test_a_connection_that_nobody_uses_is_closed(world: World) -> None:
    async def stays_open() -> bool:
        async with a_connection(world) as reader:
            try:
                async with asyncio.timeout(0.6):
                    return bool(await reader.read(1))
            except TimeoutError:
                return True

    async with world.applied("MeshTimeout", to("db", {"idleTimeout": "200ms"})):
        await until(stays_open, (False).__eq__)
    await until(stays_open, (True).__eq__)


@asynccontextmanager
async def a_connection(world: World) -> AsyncIterator[asyncio.StreamReader]:
    """To `db`, over which one line went."""
    reader, writer = await asyncio.open_connection(HOST, world.client.ports["db"])
    try:
        writer.write(b"x\n")
        assert (await reader.readline()).endswith(b" x\n")
        yield reader
    finally:
        writer.close()


async def test_slow_headers_end_the_request(world: World) -> None:
    async def answer() -> bytes:
        reader, writer = await asyncio.open_connection(HOST, world.client.ports["api"])
        try:
            writer.write(b"GET / HTTP/1.1\r\nhost: api\r\n")
            async with asyncio.timeout(0.6):
                return await reader.readline()
        except TimeoutError:
            return b"nothing yet"
        finally:
            writer.close()

    conf = {"http": {"requestHeadersTimeout": "200ms", "requestTimeout": "5s"}}
    async with world.applied("MeshTimeout", to("api", conf)):
        await until(answer, lambda line: b" 408 " in line)
    await until(answer, b"nothing yet".__eq__)


async def test_connections_to_the_service_live_so_long(world: World) -> None:
    """A request a while after the last one needs a new connection."""

    async def new_connections() -> int:
        before = await made()
        await world.get()
        await asyncio.sleep(0.3)
        await world.get()
        return await made() - before

    async def made() -> int:
        return (await world.cp.stats("client", "cluster.api.upstream_cx_total"))[
            "cluster.api.upstream_cx_total"
        ]

    conf = {"http": {"maxConnectionDuration": "100ms"}}
    async with world.applied("MeshTimeout", to("api", conf)):
        await until(new_connections, lambda count: count > 0)
        assert await new_connections() > 0
    await until(new_connections, (0).__eq__)


async def test_connecting_takes_no_longer(world: World) -> None:
    """Nobody takes connections at `hole`: the queue of the one who should is full."""
    async with a_full_queue() as port:
        inbound = {"port": port, "tags": {"kuma.io/service": "hole", "kuma.io/protocol": "http"}}
        hole: dict[str, Any] = {
            "type": "Dataplane",
            "mesh": "default",
            "name": "hole",
            "networking": {"address": HOST, "inbound": [inbound]},
        }

        async def took() -> tuple[int, bool]:
            try:
                answer = await world.get(service="hole")
            except httpx.TransportError:  # nobody has heard of the protocol yet
                return 0, False
            return answer.status_code, answer.elapsed.total_seconds() >= 0.3

        async with (
            world.applied("MeshRetry", to("hole", NO_RETRIES)),
            world.applied("MeshTimeout", to("hole", {"connectionTimeout": "300ms"})),
            world.existing(hole),
        ):
            await until(took, lambda seen: seen == (503, True))


@asynccontextmanager
async def a_full_queue() -> AsyncIterator[int]:
    (port,) = free_ports(1)
    with socket.create_server((HOST, port), backlog=0) as _:
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex((HOST, port))
        try:
            yield port
        finally:
            for each in waiting:
                each.close()
