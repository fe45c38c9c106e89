"""`python -m tests.bench --small`: the budgets of a small mesh, with real processes and Envoys."""

import asyncio
import resource
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter

import httpx

from tests.bench.figures import Figure, mebibytes, milliseconds, show, write
from tests.bench.process import memory
from tests.support.mesh import HOST, ControlPlane, Sidecar, a_backend, a_control_plane, until
from tests.support.processes import BIN
from tests.system.conftest import ALLOW_ALL, MTLS

FLIPS = 20
DATAPLANES = 1000


async def measure(file: Path | None) -> None:
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="kuma-bench-") as directory:
        for part in (kumactl_start, flips_and_start, list_of_dataplanes):
            print(f"measuring: {(part.__doc__ or '').strip()}", file=sys.stderr)
            figures += await part(Path(directory))
    title = f"small mesh, via {HOST}"
    show(title, figures)
    if file:
        write(file, title, figures)


async def flips_and_start(directory: Path) -> list[Figure]:
    """a permission flipped under requests; kuma-dp from command to listening"""
    async with AsyncExitStack() as stack:
        cp = await stack.enter_async_context(a_control_plane(directory / "small"))
        await cp.put(MTLS)
        await cp.put(ALLOW_ALL)
        backend = await stack.enter_async_context(a_backend("api"))
        started = perf_counter()
        api = await stack.enter_async_context(cp.sidecar("api", app_port=backend.port))
        listening = perf_counter() - started
        client = await stack.enter_async_context(cp.sidecar("client", outbounds={"api": "api"}))
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=10))
        ask = ask_api(http, client)
        await until(ask, lambda status: status == 200)
        times = [await flip(cp, ask, deny=index % 2 == 0) for index in range(FLIPS)]
        return [
            Figure(
                f"policy's PUT to the first request treated differently, {FLIPS} flips: p50",
                milliseconds(statistics.median(times)),
                "50 ms",
            ),
            Figure("the same, maximum", milliseconds(max(times)), "250 ms"),
            Figure("kuma-dp run to a listening inbound", milliseconds(listening), "1200 ms"),
            Figure("kuma-dp's own memory", memory_of(api), "50 MiB"),
            Figure("kuma-cp's memory, two proxies", mebibytes(memory(cp.process.pid)), "-"),
        ]


def ask_api(http: httpx.AsyncClient, client: Sidecar) -> Callable[[], Awaitable[int]]:
    async def ask() -> int:
        return (await http.get(client.url("api"))).status_code

    return ask


async def flip(cp: ControlPlane, ask: Callable[[], Awaitable[int]], *, deny: bool) -> float:
    """From the start of the PUT to the start of the first request that shows it."""
    action, expected = ("Deny", 403) if deny else ("Allow", 200)
    entry = {"targetRef": {"kind": "Mesh"}, "default": {"action": action}}
    changed = {**ALLOW_ALL, "spec": {"targetRef": {"kind": "Mesh"}, "from": [entry]}}
    started = perf_counter()
    putting = asyncio.create_task(cp.put(changed))
    await until(ask, lambda status: status == expected)
    took = perf_counter() - started
    await putting
    await asyncio.sleep(0.05)
    return took


async def list_of_dataplanes(directory: Path) -> list[Figure]:
    """the REST list of a thousand dataplanes"""
    async with a_control_plane(directory / "many") as cp:
        for number in range(DATAPLANES):
            await cp.put(a_document(number))
        times = []
        for _ in range(20):
            started = perf_counter()
            answer = await cp.rest.get(f"/meshes/default/dataplanes?size={DATAPLANES}")
            times.append(perf_counter() - started)
            assert answer.json()["total"] == DATAPLANES
        return [
            Figure(
                f"REST list of {DATAPLANES} dataplanes, median",
                milliseconds(statistics.median(times)),
                "100 ms",
            ),
            Figure("the same, the first time", milliseconds(times[0]), "-"),
        ]


def a_document(number: int) -> dict[str, object]:
    inbound = {"port": 8080, "tags": {"kuma.io/service": f"service-{number % 50}"}}
    outbound = [
        {"port": 9000 + each, "tags": {"kuma.io/service": f"service-{(number + each) % 50}"}}
        for each in range(10)
    ]
    networking = {
        "address": f"10.0.{number // 250}.{number % 250 + 1}",
        "inbound": [inbound],
        "outbound": outbound,
    }
    return {
        "type": "Dataplane",
        "mesh": "default",
        "name": f"dp-{number}",
        "networking": networking,
    }


async def kumactl_start(_: Path) -> list[Figure]:
    """kumactl version --client"""
    times, peak = [], 0
    for _attempt in range(7):
        started = perf_counter()
        child = await asyncio.create_subprocess_exec(
            BIN / "kumactl", "version", "--client", stdout=asyncio.subprocess.DEVNULL
        )
        await child.wait()
        times.append(perf_counter() - started)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return [
        Figure(
            "kumactl version --client, median", milliseconds(statistics.median(times)), "200 ms"
        ),
        Figure("the same, peak memory", mebibytes(peak), "50 MiB"),
    ]


def memory_of(sidecar: Sidecar) -> str:
    return mebibytes(memory(sidecar.process.pid))
