"""What requests notice when control planes and sidecars come and go: nothing."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.support.load import constant_load
from tests.support.mesh import (
    HOST,
    ControlPlane,
    a_backend,
    a_control_plane,
    a_short_directory,
    until,
)
from tests.support.processes import Process, free_ports, running
from tests.system.conftest import ALLOW_ALL, MTLS, Mesh

pytestmark = pytest.mark.asyncio(loop_scope="module")

DELAY = 5
"""Seconds after which a Dataplane whose proxy is gone is removed."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mesh]:
    env = {"KUMA_XDS_DATAPLANE_DEREGISTRATION_DELAY": f"{DELAY}s"}
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        cp = await enter(a_control_plane(tmp_path_factory.mktemp("mesh"), env=env))
        await cp.put(MTLS)
        await cp.put(ALLOW_ALL)
        v1, v2 = await enter(a_backend("v1")), await enter(a_backend("v2"))
        sidecars = {
            backend.name: await enter(
                cp.sidecar(f"api-{backend.name}", service="api", app_port=backend.port)
            )
            for backend in (v1, v2)
        }
        client = await enter(cp.sidecar("client", outbounds={"api": "api"}))
        http = await enter(httpx.AsyncClient(timeout=60))
        made = Mesh(cp, client, v1, v2, sidecars, http)
        await until(made.get, lambda answer: answer.status_code == 200)
        yield made


DENY = {
    "type": "MeshTrafficPermission",
    "mesh": "default",
    "name": "deny-client",
    "spec": {
        "targetRef": {"kind": "MeshSubset", "tags": {"kuma.io/service": "api"}},
        "from": [
            {
                "targetRef": {"kind": "MeshSubset", "tags": {"kuma.io/service": "client"}},
                "default": {"action": "Deny"},
            }
        ],
    },
}


async def overview(cp: ControlPlane, name: str) -> dict[str, Any] | None:
    """None if there is no such Dataplane."""
    answer = await cp.rest.get(f"/meshes/default/dataplanes/{name}/_overview")
    if answer.status_code == 404:
        return None
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def is_online(found: dict[str, Any] | None) -> bool:
    insight = (found or {}).get("dataplaneInsight") or {}
    return any("disconnectTime" not in each for each in insight.get("subscriptions", ()))


async def test_prometheus_sees_the_proxies(mesh: Mesh) -> None:
    url = f"http://{HOST}:{mesh.cp.diagnostics_port}/metrics"
    lines = (await mesh.http.get(url)).text.splitlines()
    assert "xds_streams_active 3.0" in lines
    assert 'xds_requests_received_total{confirmation="NACK"} 0.0' in lines


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_requests_do_not_notice_a_restart(mesh: Mesh, number: signal.Signals) -> None:
    mesh.v1.delay = mesh.v2.delay = lambda path: 1.0 if path == "/slow" else 0.0
    async with constant_load(mesh.client.ports["api"]) as load:
        slow = asyncio.create_task(mesh.get("/slow"))
        code = await mesh.cp.end(number)
        assert code == (0 if number is signal.SIGTERM else -signal.SIGKILL)
        await load.more(200)  # while it is down
        assert (await slow).status_code == 200
        assert (await mesh.get()).status_code == 200
        await mesh.cp.start()
        for name in ("client", "api-v1", "api-v2"):
            await until(lambda name=name: overview(mesh.cp, name), is_online)
        await load.more(200)
    assert load.failures == []


async def test_changes_made_after_a_restart_reach_the_proxies(mesh: Mesh) -> None:
    await mesh.cp.end(signal.SIGKILL)
    await mesh.cp.start()
    await mesh.cp.put(DENY)
    try:
        await until(mesh.get, lambda answer: answer.status_code == 403)
    finally:
        await mesh.cp.delete(DENY)
    await until(mesh.get, lambda answer: answer.status_code == 200)


async def test_no_request_is_lost_while_an_instance_comes_and_goes(mesh: Mesh) -> None:
    async def versions() -> Counter[str]:
        return Counter([await mesh.version() for _ in range(10)])

    async with (
        a_backend("v3") as v3,
        constant_load(mesh.client.ports["api"]) as load,
        mesh.cp.sidecar("api-v3", "--drain-time=60s", service="api", app_port=v3.port) as third,
    ):
        await until(versions, lambda counts: "v3" in counts)
        await load.more(50)
        third.process.signal(signal.SIGTERM)
        assert await third.process.ended() == 0
        await until(lambda: overview(mesh.cp, "api-v3"), lambda found: found is None)
        await load.more(100)
    assert load.failures == []


async def test_a_dataplane_is_removed_unless_its_proxy_comes_back(mesh: Mesh) -> None:
    cp, returning = mesh.cp, dataplane("returning")

    async def connected(name: str) -> None:
        await until(lambda: overview(cp, name), is_online)

    async def crash(process: Process) -> None:
        process.signal(signal.SIGKILL)
        await process.ended()
        assert await overview(cp, process.name.split()[-1]) is not None

    async with cp.kuma_dp(returning) as first, cp.kuma_dp(dataplane("leaving")) as leaving:
        await connected("returning")
        await connected("leaving")
        await crash(first)
        await until(
            lambda: overview(cp, "returning"),
            lambda found: found is not None and not is_online(found),
        )
        await crash(leaving)  # due to be removed after the other one would have been
        async with cp.kuma_dp(returning):
            await connected("returning")
            await until(lambda: overview(cp, "leaving"), lambda found: found is None)
            assert is_online(await overview(cp, "returning"))


async def test_a_dataplane_that_was_there_before_its_proxy_outlives_it(mesh: Mesh) -> None:
    cp = mesh.cp
    document = dataplane("permanent")
    await cp.put(document)
    token = cp.directory / "permanent.token"
    token.write_text(await cp.token("permanent"))
    async with a_short_directory() as temporary, running(
        "kuma-dp permanent",
        "kuma-dp", "run",
        f"--cp-address={cp.dp_url}",
        f"--ca-cert-file={cp.ca_file}",
        f"--dataplane-token-file={token}",
        "--name=permanent",
        "--mesh=default",
        "--dns-enabled=false",
        env={"KUMA_READINESS_PORT": str(free_ports(1)[0]), "TMPDIR": temporary},
    ) as permanent, cp.kuma_dp(dataplane("leaving")) as leaving:  # fmt: skip
        for name in ("permanent", "leaving"):
            await until(lambda name=name: overview(cp, name), is_online)
        for process in (permanent, leaving):
            process.signal(signal.SIGKILL)
            await process.ended()
        await until(lambda: overview(cp, "leaving"), lambda found: found is None)
        assert await overview(cp, "permanent") is not None
    await cp.delete(document)


async def test_a_running_proxy_calls_on_though_its_dataplane_is_deleted(mesh: Mesh) -> None:
    """Nobody calls it any more, until it is connected anew."""
    cp, server = mesh.cp, mesh.sidecars["v2"]

    async def answering() -> Counter[str]:
        return Counter([await mesh.version() for _ in range(10)])

    for name in ("client", "api-v2"):
        await cp.delete({"type": "Dataplane", "mesh": "default", "name": name})
    await until(answering, lambda found: found == {"v1": 10})

    await cp.put(DENY)
    await until(answering, lambda found: found == {"403": 10})
    await cp.delete(DENY)
    await until(answering, lambda found: found == {"v1": 10})
    await cp.end()
    await cp.start()
    await until(answering, lambda found: set(found) == {"v1", "v2"})
    assert is_online(await overview(cp, "client"))
    assert server.process.child.returncode is None


def dataplane(name: str) -> dict[str, Any]:
    (port,) = free_ports(1)
    tags = {"kuma.io/service": name, "kuma.io/protocol": "http"}
    inbound = {"port": port, "servicePort": port, "serviceAddress": "127.0.0.2", "tags": tags}
    networking = {"address": HOST, "admin": {"port": free_ports(1)[0]}, "inbound": [inbound]}
    return {"type": "Dataplane", "mesh": "default", "name": name, "networking": networking}
