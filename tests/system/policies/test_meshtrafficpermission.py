"""MeshTrafficPermission: who is denied gets nothing, at once and on connections that exist."""

from typing import Any

import pytest

from tests.support.mesh import until
from tests.system.conftest import ALLOW_ALL
from tests.system.policies.conftest import API, BOTH, DB, World, spiffe

pytestmark = pytest.mark.asyncio(loop_scope="package")

CLIENT = {"kind": "MeshSubset", "tags": {"kuma.io/service": "client"}}


def action(name: str, client: dict[str, Any] = CLIENT, **target: Any) -> dict[str, Any]:
    return {
        "targetRef": target or API,
        "from": [{"targetRef": client, "default": {"action": name}}],
    }


def identities(**lists: list[dict[str, Any]]) -> dict[str, Any]:
    return {"targetRef": API, "rules": [{"default": lists}]}


async def test_one_client_is_denied_and_allowed_again(world: World) -> None:
    before = await world.listener_updates()
    async with world.applied("MeshTrafficPermission", action("Deny")):
        await until(world.status, (403).__eq__)
        assert await world.statuses(5, of=world.other) == {200: 5}
        assert await world.calls.hello("you") == "hello you"
    await until(world.status, (200).__eq__)

    assert await world.listener_updates() == before


async def test_nobody_is_allowed_without_a_permission(world: World) -> None:
    await world.cp.delete(ALLOW_ALL)
    try:
        await until(world.status, (403).__eq__)
        await until(world.echoes, {""}.__eq__)
    finally:
        await world.cp.put(ALLOW_ALL)
    await until(world.status, (200).__eq__)
    await until(world.echoes, {"one x", "two x"}.__eq__)


async def test_connections_of_who_is_denied_are_closed(world: World) -> None:
    async with world.applied("MeshTrafficPermission", action("Deny", **DB)):
        await until(world.echoes, {""}.__eq__)
    await until(world.echoes, {"one x", "two x"}.__eq__)


async def test_only_the_identity_that_is_named_may_call(world: World) -> None:
    """Permissions by tags, such as that for all, count no more."""
    async with world.applied("MeshTrafficPermission", identities(allow=[spiffe("other")])):
        await until(world.status, (403).__eq__)
        assert await world.statuses(10, of=world.other) == {200: 10}
    await until(world.status, (200).__eq__)


async def test_a_denial_goes_before_what_another_policy_allows(world: World) -> None:
    everybody = {"spiffeID": {"type": "Prefix", "value": "spiffe://default"}}
    async with world.applied("MeshTrafficPermission", identities(allow=[everybody])):
        assert await world.versions() == BOTH
        denial = identities(deny=[spiffe("cli", "Prefix")], allow=[spiffe("client")])
        async with world.applied("MeshTrafficPermission", denial, "a-denial"):
            await until(world.status, (403).__eq__)
            assert await world.statuses(10, of=world.other) == {200: 10}
        await until(world.status, (200).__eq__)


@pytest.mark.parametrize(
    "spec",
    [
        action("AllowWithShadowDeny"),
        identities(
            allow=[{"spiffeID": {"type": "Prefix", "value": "spiffe://default"}}],
            allowWithShadowDeny=[spiffe("client")],
        ),
    ],
    ids=["from", "rules"],
)
async def test_what_a_denial_would_stop_is_counted(world: World, spec: dict[str, Any]) -> None:
    async def counted() -> int:
        assert await world.statuses(4) == {200: 4}
        return sum((await world.cp.stats("server", "shadow_denied")).values())

    before = await counted()
    async with world.applied("MeshTrafficPermission", spec):
        await until(counted, lambda now: now > before)
        mine = await counted()
        assert await world.statuses(10, of=world.other) == {200: 10}
        assert sum((await world.cp.stats("server", "shadow_denied")).values()) == mine
    await until(counted_twice(world), lambda pair: pair[0] == pair[1])


def counted_twice(world: World) -> Any:
    async def ask() -> tuple[int, int]:
        first = sum((await world.cp.stats("server", "shadow_denied")).values())
        await world.statuses(4)
        return first, sum((await world.cp.stats("server", "shadow_denied")).values())

    return ask
