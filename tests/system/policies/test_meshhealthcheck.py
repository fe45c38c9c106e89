"""MeshHealthCheck: endpoints that are not well get nothing."""

from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.support.mesh import until
from tests.system.policies.conftest import BOTH, World, to

pytestmark = pytest.mark.asyncio(loop_scope="package")


def checking(service: str, **conf: Any) -> dict[str, Any]:
    """Checks often enough for a test, also before the first request."""
    often = {"interval": "50ms", "noTrafficInterval": "50ms", "timeout": "1s"}
    once = {"unhealthyThreshold": 1, "healthyThreshold": 1}
    return to(service, {**often, **once, **conf})


async def test_an_endpoint_that_fails_its_http_check_gets_no_requests(world: World) -> None:
    world.v1.status = lambda path: 503 if path == "/health" else 200
    world.v2.status = lambda path: 202 if path == "/health" else 200
    check = {"path": "/health", "expectedStatuses": [202]}
    async with world.applied("MeshHealthCheck", checking("api", http=check)):
        await until(world.versions, {"v2"}.__eq__)
        world.v1.status = world.v2.status
        await until(world.versions, BOTH.__eq__)
        world.v1.status = lambda path: 503 if path == "/health" else 200
        await until(world.versions, {"v2"}.__eq__)
    await until(world.versions, BOTH.__eq__)


async def test_checks_carry_the_headers_that_the_policy_adds(world: World) -> None:
    headers = {"set": [{"name": "x-check", "value": "100%"}]}
    check = {"path": "/with-headers", "requestHeadersToAdd": headers}

    async def checked() -> list[str]:
        await world.get()
        return [each["x-check"] for call, each in world.v1.requests if call == "GET /with-headers"]

    async with world.applied("MeshHealthCheck", checking("api", http=check)):
        await until(checked, bool)
    assert set(await checked()) == {"100%"}


async def test_an_endpoint_that_fails_its_tcp_check_gets_no_connections(world: World) -> None:
    check = {"send": "PING\n", "receive": ["one ", "PING"]}
    async with world.applied("MeshHealthCheck", checking("db", tcp=check)):
        await until(world.echoes, lambda seen: seen == {"one x"})
    await until(world.echoes, lambda seen: seen == {"one x", "two x"})


async def test_grpc_calls_fail_while_no_endpoint_is_well_and_panic_does_not_help(
    world: World,
) -> None:
    """The greeter does not know the health service."""

    async def hello() -> object:
        return await world.calls.hello("you")

    async with world.applied("MeshHealthCheck", checking("greeter", grpc={})):
        assert await hello() == "hello you"
        failing = checking("greeter", grpc={}, failTrafficOnPanic=True)
        async with world.applied("MeshHealthCheck", failing, "another"):
            await until(hello, lambda answer: answer is grpc.StatusCode.UNAVAILABLE)
    await until(hello, lambda answer: answer == "hello you")


async def test_what_checks_find_is_logged_to_a_file(world: World, tmp_path: Path) -> None:
    log = tmp_path / "events.log"
    conf = {"http": {}, "eventLogPath": str(log), "alwaysLogHealthCheckFailures": True}

    async def logged() -> str:
        await world.get()
        return log.read_text() if log.exists() else ""

    async with world.applied("MeshHealthCheck", checking("api", **conf)):
        await until(logged, lambda text: "add_healthy_event" in text)
