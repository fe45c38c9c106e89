"""MeshTCPRoute: where new connections go, and requests where no MeshHTTPRoute speaks."""

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest

from tests.support.mesh import HOST, until
from tests.support.servers import echo
from tests.system.policies.conftest import BOTH, World, version

pytestmark = pytest.mark.asyncio(loop_scope="package")


def route(service: str, *backends: dict[str, Any]) -> dict[str, Any]:
    target = {"kind": "MeshService", "name": service}
    return {"to": [{"targetRef": target, "rules": [{"default": {"backendRefs": [*backends]}}]}]}


async def test_connections_go_where_the_route_says(world: World) -> None:
    async with world.applied("MeshTCPRoute", route("db", version("v2", "db"))):
        await until(world.echoes, {"two x"}.__eq__)
        assert await world.echoes(20) == {"two x"}
    await until(world.echoes, {"one x", "two x"}.__eq__)


async def test_weights_split_connections(world: World) -> None:
    split = route("db", version("v1", "db", 80), version("v2", "db", 20))
    async with world.applied("MeshTCPRoute", split):

        async def counted() -> Counter[str]:
            return Counter([await echo(world.client.ports["db"], "x") for _ in range(100)])

        await until(counted, lambda counts: 60 <= counts["one x"] <= 95)
    await until(world.echoes, {"one x", "two x"}.__eq__)


async def test_a_connection_that_exists_goes_on(world: World) -> None:
    reader, writer = await asyncio.open_connection(HOST, world.client.ports["db"])
    writer.write(b"before\n")
    first = await reader.readline()
    other, away = ("two", "v2") if first.startswith(b"one") else ("one", "v1")
    async with world.applied("MeshTCPRoute", route("db", version(away, "db"))):
        await until(world.echoes, {f"{other} x"}.__eq__)
        writer.write(b"before\n")
        assert await reader.readline() == first
    writer.close()


async def test_requests_follow_it_where_no_route_for_http_is(world: World) -> None:
    async def versions() -> set[str]:
        """Between HTTP and TCP the listener changes, which closes connections."""
        try:
            return await world.versions(20)
        except httpx.TransportError:
            return {"closed"}

    async with world.applied("MeshTCPRoute", route("api", version("v2"))):
        await until(versions, {"v2"}.__eq__)
        spec = route("api", version("v1"))
        spec["to"][0]["rules"][0]["matches"] = [{"path": {"type": "PathPrefix", "value": "/"}}]
        async with world.applied("MeshHTTPRoute", spec):
            await until(versions, {"v1"}.__eq__)
        await until(versions, {"v2"}.__eq__)
    await until(versions, BOTH.__eq__)
