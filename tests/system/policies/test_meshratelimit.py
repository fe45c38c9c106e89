"""MeshRateLimit: what is over the rate is refused, to all or to some clients."""

from typing import Any

import pytest

from tests.support.mesh import until
from tests.system.policies.conftest import API, DB, World, spiffe

pytestmark = pytest.mark.asyncio(loop_scope="package")

OTHER = spiffe("other")


def limiting(local: dict[str, Any], *matches: dict[str, Any]) -> dict[str, Any]:
    return {"targetRef": API, "rules": [{"matches": [*matches], "default": {"local": local}}]}


def requests(num: int, **more: Any) -> dict[str, Any]:
    return {"http": {"requestRate": {"num": num, "interval": "1h"}, **more}}


async def test_requests_over_the_rate_are_answered_as_the_policy_says(world: World) -> None:
    headers = {"set": [{"name": "x-limited", "value": "yes"}]}
    limit = requests(3, onRateLimit={"status": 503, "headers": headers})
    async with world.applied("MeshRateLimit", limiting(limit)):
        await until(world.status, (503).__eq__)
        assert (await world.get()).headers["x-limited"] == "yes"
    assert await world.statuses(20) == {200: 20}


async def test_the_limit_of_one_client_is_not_that_of_others(world: World) -> None:
    async with world.applied("MeshRateLimit", limiting(requests(1), OTHER)):
        await until(lambda: world.status(of=world.other), (429).__eq__)
        assert await world.statuses(10) == {200: 10}
    await until(lambda: world.status(of=world.other), (200).__eq__)


async def test_one_client_is_free_of_the_limit_of_all_others(world: World) -> None:
    spec = limiting(requests(1))
    free = {"matches": [OTHER], "default": {"local": {"http": {"disabled": True}}}}
    spec["rules"].append(free)
    async with world.applied("MeshRateLimit", spec):
        await until(world.status, (429).__eq__)
        assert await world.statuses(10, of=world.other) == {200: 10}


async def test_a_limit_for_requests_touches_no_listener(world: World) -> None:
    before = await world.listener_updates()
    async with world.applied("MeshRateLimit", limiting(requests(1))):
        await until(world.status, (429).__eq__)
    await until(world.status, (200).__eq__)

    assert await world.listener_updates() == before


async def test_connections_over_the_rate_are_closed(world: World) -> None:
    rate = {"tcp": {"connectionRate": {"num": 1, "interval": "1h"}}}
    async with world.applied("MeshRateLimit", {**limiting(rate), "targetRef": DB}):
        await until(world.echoes, lambda seen: seen == {""})
        assert await world.statuses(5) == {200: 5}
    await until(world.echoes, lambda seen: seen == {"one x", "two x"})
