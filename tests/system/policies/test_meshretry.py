"""MeshRetry: the caller does not notice what went wrong the first time."""

from collections import Counter
from typing import Any

import grpc
import pytest

from tests.support.mesh import HOST, until
from tests.support.processes import free_ports
from tests.system.policies.conftest import BOTH, World, to

pytestmark = pytest.mark.asyncio(loop_scope="package")

QUICK = {"baseInterval": "1ms", "maxInterval": "2ms"}


def http(*retry_on: str, **conf: Any) -> dict[str, Any]:
    return to("api", {"http": {"numRetries": 10, "backOff": QUICK, "retryOn": [*retry_on], **conf}})


async def test_a_failing_instance_is_not_noticed(world: World) -> None:
    world.v1.status = lambda _: 500
    async with world.applied("MeshRetry", http("5xx")):
        await until(lambda: world.counted(20), Counter({"v2": 20}).__eq__)
    await until(lambda: world.versions(20), {"500", "v2"}.__eq__)


async def test_a_status_can_be_named(world: World) -> None:
    world.v1.status = lambda _: 409
    async with world.applied("MeshRetry", http("409")):
        await until(lambda: world.counted(20), Counter({"v2": 20}).__eq__)
        world.v1.status = lambda _: 500
        assert await world.versions(20) == {"500", "v2"}


async def test_only_the_methods_that_are_named_are_repeated(world: World) -> None:
    world.v1.status = lambda _: 500
    async with world.applied("MeshRetry", http("5xx", "HttpMethodGet")):
        await until(lambda: world.counted(20), Counter({"v2": 20}).__eq__)
        assert await world.versions(20, method="POST") == {"500", "v2"}


async def test_headers_decide_about_a_retry(world: World) -> None:
    world.v1.status, world.v1.headers = lambda _: 404, {"x-again": "please"}
    wanted = [{"type": "Exact", "name": "x-again", "value": "please"}]
    asked = [{"type": "Present", "name": "x-careless"}]
    spec = http(retriableResponseHeaders=wanted, retriableRequestHeaders=asked)
    async with world.applied("MeshRetry", spec):
        await until(lambda: world.counted(20, x_careless="yes"), Counter({"v2": 20}).__eq__)
        assert await world.versions(20) == {"404", "v2"}


async def test_an_attempt_that_takes_too_long_is_given_up(world: World) -> None:
    world.v1.delay = lambda _: 2.0

    async def took() -> float:
        return max([(await world.get()).elapsed.total_seconds() for _ in range(6)])

    async with world.applied("MeshRetry", http("5xx", perTryTimeout="100ms")):
        await until(took, lambda seconds: seconds < 1)
        assert await world.counted(10) == Counter({"v2": 10})


async def test_the_endpoint_that_failed_is_not_asked_again(world: World) -> None:
    """With a random choice of two, one retry alone would fail for one request out of four."""
    world.v1.status = lambda _: 500
    random = to("api", {"loadBalancer": {"type": "Random"}})
    omit = [{"predicate": "OmitPreviousHosts"}]
    async with (
        world.applied("MeshLoadBalancingStrategy", random),
        world.applied("MeshRetry", http("5xx", numRetries=1)),
    ):
        await until(lambda: world.versions(20), {"500", "v2"}.__eq__)
        spec = http("5xx", numRetries=1, hostSelection=omit, hostSelectionMaxAttempts=50)
        async with world.applied("MeshRetry", spec, "a-choice"):
            await until(lambda: world.counted(60), Counter({"v2": 60}).__eq__)


async def test_endpoints_with_a_tag_are_left_out(world: World) -> None:
    world.v1.status = lambda _: 500
    random = to("api", {"loadBalancer": {"type": "Random"}})
    omit = [{"predicate": "OmitHostsWithTags", "tags": {"version": "v1"}}]
    spec = http("5xx", numRetries=1, hostSelection=omit, hostSelectionMaxAttempts=50)
    async with (
        world.applied("MeshLoadBalancingStrategy", random),
        world.applied("MeshRetry", spec),
    ):
        await until(lambda: world.counted(60), Counter({"v2": 60}).__eq__)


async def test_a_retry_waits_as_long_as_the_service_asks_for(world: World) -> None:
    for backend in (world.v1, world.v2):
        backend.status, backend.headers = lambda _: 503, {"retry-after": "1"}
    waits = {
        "maxInterval": "3s",
        "resetHeaders": [{"name": "retry-after", "format": "Seconds"}],
    }

    async def took() -> float:
        return (await world.get()).elapsed.total_seconds()

    async with world.applied("MeshRetry", http("5xx", numRetries=1, rateLimitedBackOff=waits)):
        await until(took, lambda seconds: seconds >= 1)
    await until(took, lambda seconds: seconds < 1)


async def test_grpc_calls_are_repeated_on_the_statuses_that_are_named(world: World) -> None:
    unavailable, exhausted = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED
    conf = {"numRetries": 3, "retryOn": ["Unavailable"], "backOff": QUICK}

    async def failing_twice(status: grpc.StatusCode) -> tuple[object, int]:
        first = world.greeter.calls
        world.greeter.fails = lambda number: status if number < first + 2 else None
        return await world.calls.hello("you"), world.greeter.calls - first

    async with world.applied("MeshRetry", to("greeter", {"grpc": conf})):
        await until(lambda: failing_twice(unavailable), lambda seen: seen == ("hello you", 3))
        assert await failing_twice(exhausted) == (exhausted, 1)


async def test_a_connection_is_tried_elsewhere(world: World) -> None:
    """Nobody listens at one of three endpoints."""
    (port,) = free_ports(1)
    inbound = {"port": port, "tags": {"kuma.io/service": "db", "kuma.io/protocol": "tcp"}}
    dead = {
        "type": "Dataplane",
        "mesh": "default",
        "name": "dead",
        "networking": {"address": HOST, "inbound": [inbound]},
    }
    once, often = (to("db", {"tcp": {"maxConnectAttempt": number}}) for number in (1, 5))
    async with world.existing(dead), world.applied("MeshRetry", once):
        await until(lambda: world.echoes(9), {"", "one x", "two x"}.__eq__)
        async with world.applied("MeshRetry", often, "a-choice"):
            await until(lambda: world.echoes(30), {"one x", "two x"}.__eq__)
        await until(lambda: world.echoes(9), {"", "one x", "two x"}.__eq__)
    await until(world.versions, BOTH.__eq__)
