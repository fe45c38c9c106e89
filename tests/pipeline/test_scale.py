"""Whom a change reaches, and what costs nothing: the real control plane, proxies over TLS.

The control plane runs in this process, so that its computations can be counted; the proxies are those of
the benchmark, which subscribe and acknowledge as Envoy does.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from kuma.app.control_plane.runtime import ControlPlane
from kuma.config.load import load_control_plane
from kuma.envoy.snapshot import TypeUrl
from kuma.pipeline.insights import PAUSE
from kuma.policies.catalogue import REGISTRY
from kuma.resources.codec import parse_document
from kuma.resources.kinds.dataplane_insight import DATAPLANE_INSIGHT
from tests.bench.facts import Reader
from tests.bench.proxy import Proxy, Settings
from tests.bench.requests import Delta, StateOfTheWorld, Variant
from tests.bench.shape import Shape
from tests.bench.swarm import Swarm
from tests.support.mesh import ControlPlane as Paths
from tests.support.processes import free_ports

SHAPE = Shape(proxies=20, services=10, outbounds=2)
QUIET = 0.4
"""Seconds without a message after which none is on its way."""


class Watched(Swarm):
    """Counts what each proxy receives."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.got: Counter[tuple[int, TypeUrl]] = Counter()

    def received(self, proxy: Proxy, type_url: TypeUrl, size: int) -> None:
        super().received(proxy, type_url, size)
        self.got[proxy.index, type_url] += 1


@dataclass
class Running:
    """A control plane, and a swarm on it that is configured and quiet, which took so many seconds."""

    plane: ControlPlane
    rest: httpx.AsyncClient
    swarm: Watched
    writes: Counter[str] = field(default_factory=Counter)
    took: float = 0.0

    async def put(self, document: Mapping[str, Any]) -> None:
        answer = await self.rest.put(Paths.path(document), json=document)
        assert answer.is_success, answer.text

    async def settled(self) -> None:
        """Nothing is on its way, and what there was to write of it has been written."""
        await asyncio.sleep(QUIET)
        assert await self.swarm.until_quiet(QUIET, 10)
        await self.plane.pipeline.tracker.flush()

    async def work(self) -> tuple[int, int, int]:
        """Computations, messages and writes until now."""
        await self.settled()
        messages = sum(self.swarm.got.values())
        return self.plane.pipeline.engine.computations, messages, self.writes.total()


@pytest_asyncio.fixture
async def plane(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    dp, diagnostics, http, https = free_ports(4)
    env = {
        "KUMA_STORE_TYPE": "memory",
        "KUMA_GENERAL_WORK_DIR": str(tmp_path),
        "KUMA_DP_SERVER_PORT": str(dp),
        "KUMA_DIAGNOSTICS_SERVER_PORT": str(diagnostics),
        "KUMA_API_SERVER_HTTP_PORT": str(http),
        "KUMA_API_SERVER_HTTPS_PORT": str(https),
    }
    settings = load_control_plane(None, env).settings
    plane = ControlPlane(settings, metrics=CollectorRegistry())
    await plane.start()
    yield plane
    await plane.stop()


@pytest_asyncio.fixture
async def running(
    plane: ControlPlane, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Running]:
    variant: Variant = getattr(request, "param", Delta)()
    settings = plane.settings
    url = f"http://127.0.0.1:{settings.api_server.http.port}"
    async with httpx.AsyncClient(base_url=url, timeout=15) as rest:
        answer = await rest.post("/tokens/dataplane", json={"mesh": "default", "validFor": "1h"})
        swarm = Watched(
            SHAPE,
            f"https://127.0.0.1:{settings.dp_server.port}",
            Settings(variant, Reader(variant.is_delta), answer.text, keepalive=0),
            ca_file=str(tmp_path / "kuma-cp.crt"),
        )
        made = Running(plane, rest, swarm)
        plane.state.replica.subscribe(
            lambda changes: made.writes.update(c.key.kind for c in changes)
        )
        for document in (SHAPE.mesh(), SHAPE.permission(), SHAPE.timeout(0)):
            await made.put(document)
        for service in range(SHAPE.services):
            await made.put(SHAPE.mover(service, 0))
        started = monotonic()
        swarm.connect(0, SHAPE.proxies)
        assert await swarm.until_configured(SHAPE.proxies, 15), swarm.counters.reasons
        await made.settled()
        made.took = monotonic() - started
        swarm.got.clear()
        yield made
        swarm.close()


variants = pytest.mark.parametrize("running", [Delta, StateOfTheWorld], indirect=True)


def consumers(service: int) -> set[int]:
    return {proxy for proxy in range(SHAPE.proxies) if service in SHAPE.calls(proxy)}


@variants
async def test_a_change_of_one_service_reaches_its_consumers_and_nobody_else(
    running: Running,
) -> None:
    await running.put(SHAPE.mover(3, 1))
    assert await running.swarm.until_shown("ENDPOINT", 1, len(consumers(3)), 10)
    await running.settled()

    assert running.swarm.got == {(proxy, TypeUrl.ENDPOINT): 1 for proxy in consumers(3)}


@variants
async def test_a_policy_of_one_destination_reaches_its_consumers_and_nobody_else(
    running: Running,
) -> None:
    await running.put(SHAPE.timeout(1, 3))
    assert await running.swarm.until_shown("CLUSTER", 1, len(consumers(3)), 10)
    await running.settled()

    assert {proxy for proxy, _ in running.swarm.got} == consumers(3)
    assert {kind for _, kind in running.swarm.got} == {TypeUrl.CLUSTER, TypeUrl.ENDPOINT}


async def test_a_policy_of_all_destinations_reaches_each_proxy_once(running: Running) -> None:
    await running.put(SHAPE.timeout(1))
    assert await running.swarm.until_shown("CLUSTER", 1, SHAPE.proxies, 10)
    await running.settled()

    everybody = range(SHAPE.proxies)
    assert running.swarm.got == {
        (proxy, kind): 1 for proxy in everybody for kind in (TypeUrl.CLUSTER, TypeUrl.ENDPOINT)
    }


async def test_equal_content_computes_nothing_and_sends_nothing(running: Running) -> None:
    await running.put(SHAPE.mover(3, 1))
    before = await running.work()

    for document in (
        SHAPE.mesh(),
        SHAPE.permission(),
        SHAPE.timeout(0),
        SHAPE.mover(3, 1),
        SHAPE.dataplane(4),
    ):
        await running.put(document)

    assert await running.work() == before


async def test_a_change_that_no_configuration_shows_sends_nothing(running: Running) -> None:
    _, messages, _ = await running.work()

    await running.put({**SHAPE.mover(3, 0), "labels": {"team": "red"}})

    assert (await running.work())[1] == messages


async def test_a_proxy_that_reconnects_costs_others_nothing(running: Running) -> None:
    running.swarm._connections[7].close()
    await running.swarm._until(lambda: 7 not in running.swarm.configured_at, 10)
    assert await running.swarm.until_configured(SHAPE.proxies, 10)
    await running.settled()

    assert {proxy for proxy, _ in running.swarm.got} == {7}
    assert {kind for _, kind in running.swarm.got} == {TypeUrl.SECRET}, "the rest it knew"


async def test_an_idle_control_plane_does_no_work(running: Running) -> None:
    before = await running.work()

    await asyncio.sleep(1.5)

    assert await running.work() == before


async def test_a_burst_of_changes_is_sent_as_few(running: Running) -> None:
    """The last state arrives everywhere; what came between may be left out."""
    for change in range(1, 31):
        await running.plane.state.writer.put(parse_document(REGISTRY, SHAPE.mover(3, change)))
    assert await running.swarm.until_shown("ENDPOINT", 30, len(consumers(3)), 10)
    await running.settled()

    assert {proxy for proxy, _ in running.swarm.got} == consumers(3)
    assert sum(running.swarm.got.values()) <= 30 * len(consumers(3))
    assert all(
        proxy.seen[TypeUrl.ENDPOINT] == 30
        for index, proxy in running.swarm.proxies.items()
        if index in consumers(3)
    )


async def test_many_proxies_that_connect_at_once_are_written_a_few_times_each(
    running: Running,
) -> None:
    """However slow the machine is: what happens within a second is written as one."""
    seconds = running.took / PAUSE
    assert running.writes[DATAPLANE_INSIGHT.name] <= (6 + seconds) * SHAPE.proxies
