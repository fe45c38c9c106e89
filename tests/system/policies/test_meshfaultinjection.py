"""MeshFaultInjection: requests fail and wait on purpose, those of the clients that are meant."""

from typing import Any

import pytest

from tests.support.mesh import until
from tests.system.conftest import MTLS
from tests.system.policies.conftest import API, World, spiffe

pytestmark = pytest.mark.asyncio(loop_scope="package")

OTHER = spiffe("other")
ABORT = {"abort": {"httpStatus": 418, "percentage": 100}}


def injecting(*faults: dict[str, Any], **of: Any) -> dict[str, Any]:
    """For all, or for the clients that `matches` or `client` speaks of."""
    default = {"http": [*faults]}
    if "client" in of:
        return {"targetRef": API, "from": [{"targetRef": of["client"], "default": default}]}
    return {"targetRef": API, "rules": [{"default": default, **of}]}


async def test_requests_are_aborted_with_the_status_of_the_policy(world: World) -> None:
    async with world.applied("MeshFaultInjection", injecting(ABORT)):
        await until(lambda: world.statuses(10), {418: 10}.__eq__)
        assert await world.calls.hello("you") == "hello you"
    await until(world.status, (200).__eq__)


async def test_a_share_of_the_requests_is_aborted(world: World) -> None:
    half = {"abort": {"httpStatus": 418, "percentage": "50.5"}}
    async with world.applied("MeshFaultInjection", injecting(half)):
        await until(world.status, (418).__eq__)
        seen = await world.statuses(100)
        assert 20 <= seen[418] <= 80
        assert seen[200] == 100 - seen[418]


async def test_several_faults_hit_one_after_another(world: World) -> None:
    never = {"abort": {"httpStatus": 500, "percentage": 0}}
    async with world.applied("MeshFaultInjection", injecting(never, {}, ABORT)):
        await until(lambda: world.statuses(10), {418: 10}.__eq__)


async def test_requests_wait(world: World) -> None:
    delay = {"delay": {"value": "150ms", "percentage": 100}}

    async def took() -> float:
        return (await world.get()).elapsed.total_seconds()

    async with world.applied("MeshFaultInjection", injecting(delay)):
        await until(took, lambda seconds: seconds >= 0.15)
    await until(took, lambda seconds: seconds < 0.15)


async def test_answers_are_sent_slowly(world: World) -> None:
    """64 KiB in a second: the body has 8, and the first part of it is not held back."""
    slow = {"responseBandwidth": {"limit": "64kbps", "percentage": 100}}

    async def took() -> float:
        return (await world.get(f"/{'x' * 8192}")).elapsed.total_seconds()

    async with world.applied("MeshFaultInjection", injecting(slow)):
        await until(took, lambda seconds: seconds > 0.06)
    await until(took, lambda seconds: seconds < 0.06)


@pytest.mark.parametrize(
    "of",
    [
        {"matches": [OTHER]},
        {"client": {"kind": "MeshService", "name": "other"}},
        {"client": {"kind": "MeshSubset", "tags": {"team": "other"}}},
        {"client": {"kind": "MeshServiceSubset", "name": "other", "tags": {"team": "*"}}},
    ],
    ids=str,
)
async def test_only_the_clients_that_are_meant_have_faults(
    world: World, of: dict[str, Any]
) -> None:
    async with world.applied("MeshFaultInjection", injecting(ABORT, **of)):
        await until(lambda: world.status(of=world.other), (418).__eq__)
        assert await world.statuses(10) == {200: 10}
    await until(lambda: world.status(of=world.other), (200).__eq__)


async def test_a_client_cannot_say_that_it_is_another(world: World) -> None:
    forged = {"x-kuma-client-uris": "spiffe://default/other", "x-kuma-tags": "&team=other&"}
    async with world.applied("MeshFaultInjection", injecting(ABORT, matches=[OTHER])):
        await until(lambda: world.statuses(10, of=world.other), lambda counts: counts == {418: 10})
        answers = [await world.http.get(world.client.url("api"), headers=forged) for _ in range(10)]
    await until(lambda: world.status(of=world.other), (200).__eq__)

    assert {answer.status_code for answer in answers} == {200}
    assert not any({*forged} & {*answer.json()["headers"]} for answer in answers)


async def test_without_mutual_tls_clients_are_known_by_the_tags_that_they_send(
    world: World,
) -> None:
    other = {"kind": "MeshSubset", "tags": {"team": "other"}}
    await world.cp.put({"type": "Mesh", "name": "default"})
    try:
        async with world.applied("MeshFaultInjection", injecting(ABORT, client=other)):
            await until(lambda: world.status(of=world.other), (418).__eq__)
            await until(lambda: world.statuses(10), lambda seen: seen == {200: 10})
        await until(lambda: world.statuses(5, of=world.other), lambda seen: seen == {200: 5})
    finally:
        await world.cp.put(MTLS)
    await until(world.versions, lambda seen: seen == {"v1", "v2"})


async def test_a_fault_for_all_touches_no_listener(world: World) -> None:
    before = await world.listener_updates()
    async with world.applied("MeshFaultInjection", injecting(ABORT)):
        await until(world.status, (418).__eq__)
    await until(world.status, (200).__eq__)

    assert await world.listener_updates() == before
