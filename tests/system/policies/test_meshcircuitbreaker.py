"""MeshCircuitBreaker: what is too much is refused at once, and endpoints that fail are left out."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from tests.support.mesh import HOST, until
from tests.support.processes import free_ports
from tests.system.policies.conftest import BOTH, DB, NO_RETRIES, World, to

pytestmark = pytest.mark.asyncio(loop_scope="package")

SLOW = 0.4


@pytest_asyncio.fixture(autouse=True, loop_scope="package")
async def _without_retries(world: World) -> AsyncIterator[None]:
    async with world.applied("MeshRetry", to("api", NO_RETRIES), "b-no-retries"):
        yield


def limits(service: str = "api", **conf: int) -> dict[str, Any]:
    return to(service, {"connectionLimits": conf})


async def burst(world: World, path: str = "/slow") -> Counter[int]:
    world.v1.delay = world.v2.delay = lambda path: SLOW if path == "/slow" else 0.0
    return Counter(await asyncio.gather(*(world.status(path) for _ in range(8))))


async def test_requests_over_the_limit_get_503(world: World) -> None:
    spec = limits(maxRequests=1, maxPendingRequests=1)
    async with world.applied("MeshCircuitBreaker", spec):
        await until(lambda: burst(world), lambda counts: counts[503] > 0 and counts[200] > 0)
    await until(lambda: burst(world), {200: 8}.__eq__)


async def test_no_more_is_repeated_at_a_time(world: World) -> None:
    world.v1.status = world.v2.status = lambda _: 500
    often = {"http": {"numRetries": 1, "retryOn": ["5xx"]}}

    async def refused() -> int:
        await burst(world)
        name = "cluster.api.upstream_rq_retry_overflow"
        return (await world.cp.stats("client", name))[name]

    before = await refused()
    async with (
        world.applied("MeshRetry", to("api", often), "a-retry"),
        world.applied("MeshCircuitBreaker", limits(maxRetries=1)),
    ):
        await until(refused, lambda now: now > before)


@asynccontextmanager
async def held(world: World) -> AsyncIterator[bytes]:
    """What comes back over a connection to `db` while it is open."""
    reader, writer = await asyncio.open_connection(HOST, world.client.ports["db"])
    try:
        writer.write(b"x\n")
        yield await reader.readline()
    except ConnectionError:
        yield b""
    finally:
        writer.close()


async def second(world: World) -> bool:
    """Whether a second connection is taken while there is a first."""
    async with held(world) as first, held(world) as other:
        return bool(first) and bool(other)


async def test_connections_over_the_limit_are_closed(world: World) -> None:
    async with world.applied("MeshCircuitBreaker", limits("db", maxConnections=1)):
        await until(lambda: second(world), (False).__eq__)
    await until(lambda: second(world), (True).__eq__)


async def test_the_called_side_limits_connections_to_the_application(world: World) -> None:
    conf = {"connectionLimits": {"maxConnections": 1}}
    one = {"type": "MeshTCPRoute", "mesh": "default", "name": "to-one"}
    subset = {"kind": "MeshServiceSubset", "name": "db", "tags": {"version": "v1"}}
    target = {"kind": "MeshService", "name": "db"}
    spec = {"to": [{"targetRef": target, "rules": [{"default": {"backendRefs": [subset]}}]}]}
    async with world.existing({**one, "spec": spec}):
        await until(world.echoes, {"one x"}.__eq__)
        rules = {"targetRef": DB, "rules": [{"default": conf}]}
        async with world.applied("MeshCircuitBreaker", rules):
            await until(lambda: second(world), (False).__eq__)
        await until(lambda: second(world), (True).__eq__)


def ejecting(**conf: Any) -> dict[str, Any]:
    always = {"interval": "100ms", "baseEjectionTime": "30s", "maxEjectionPercent": 100}
    return to("api", {"outlierDetection": {**always, **conf}})


@pytest.mark.parametrize(
    ("name", "detector", "status"),
    [
        ("totalFailures", {"consecutive": 2}, 500),
        ("gatewayFailures", {"consecutive": 2}, 502),
        (
            "successRate",
            {"minimumHosts": 2, "requestVolume": 4, "standardDeviationFactor": "0.5"},
            500,
        ),
        ("failurePercentage", {"minimumHosts": 2, "requestVolume": 4, "threshold": 50}, 500),
    ],
)
async def test_an_endpoint_that_fails_is_left_out(
    world: World, name: str, detector: dict[str, Any], status: int
) -> None:
    world.v1.status = lambda _: status
    async with world.applied("MeshCircuitBreaker", ejecting(detectors={name: detector})):
        await until(lambda: world.counted(20), Counter({"v2": 20}).__eq__)
        world.v1.reset()
    await until(lambda: world.versions(20), BOTH.__eq__)


async def test_only_failures_of_the_gateway_count_as_such(world: World) -> None:
    world.v1.status = lambda _: 500
    spec = ejecting(detectors={"gatewayFailures": {"consecutive": 2}})
    async with world.applied("MeshCircuitBreaker", spec):
        world.v2.status = lambda _: 502
        await until(lambda: world.versions(20), {"500"}.__eq__)


async def test_an_endpoint_that_cannot_be_reached_is_left_out(world: World) -> None:
    (port,) = free_ports(1)
    inbound = {"port": port, "tags": {"kuma.io/service": "api", "kuma.io/protocol": "http"}}
    networking = {"address": HOST, "inbound": [inbound]}
    dead = {"type": "Dataplane", "mesh": "default", "name": "dead", "networking": networking}
    spec = ejecting(
        splitExternalAndLocalErrors=True, detectors={"localOriginFailures": {"consecutive": 2}}
    )
    async with world.existing(dead):
        await until(lambda: world.versions(20), {*BOTH, "503"}.__eq__)
        async with world.applied("MeshCircuitBreaker", spec):
            await until(lambda: world.versions(30), BOTH.__eq__)
    await until(world.versions, BOTH.__eq__)


async def test_an_endpoint_comes_back(world: World) -> None:
    world.v1.status = lambda _: 500
    spec = ejecting(baseEjectionTime="700ms", detectors={"totalFailures": {"consecutive": 2}})
    async with world.applied("MeshCircuitBreaker", spec):
        await until(lambda: world.counted(20), Counter({"v2": 20}).__eq__)
        world.v1.reset()
        await until(lambda: world.versions(20), BOTH.__eq__)


@pytest.mark.parametrize(("threshold", "status"), [("0", 503), ("100", 500)])
async def test_in_a_panic_all_are_used_again(world: World, threshold: str, status: int) -> None:
    world.v1.status = world.v2.status = lambda _: 500
    spec = ejecting(
        healthyPanicThreshold=threshold, detectors={"totalFailures": {"consecutive": 2}}
    )

    async def active() -> int:
        await world.statuses(4)
        name = "cluster.api.outlier_detection.ejections_active"
        return (await world.cp.stats("client", name)).get(name, 0)

    async with world.applied("MeshCircuitBreaker", spec):
        await until(active, (2).__eq__)
        await until(lambda: world.statuses(10), {status: 10}.__eq__)
