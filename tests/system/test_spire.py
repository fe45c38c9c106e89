"""Identities that a SPIRE agent hands out, on real traffic. The tests are in order."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
import pytest_asyncio
from cryptography import x509

from tests.support.load import constant_load
from tests.support.mesh import Served, a_backend, a_control_plane, until
from tests.support.spire import Agent, an_agent
from tests.system.conftest import Mesh
from tests.system.test_certificates import ROOM_FOR_RETRIES, on_the_wire
from tests.system.test_mesh_identity import (
    DOMAIN,
    EXCLUSIVE,
    PERMISSIVE,
    a_permission,
    an_identity,
    client_of,
    is_by,
    read,
    uris_on_the_wire,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

WEB, API = f"spiffe://{DOMAIN}/workload/web", f"spiffe://{DOMAIN}/workload/api"
IDENTITY: dict[str, Any] = {
    "type": "MeshIdentity",
    "mesh": "default",
    "name": "by-spire",
    "spec": {
        "selector": {"dataplane": {"matchLabels": {}}},
        "provider": {"type": "Spire", "spire": {"agent": {"timeout": "2s"}}},
    },
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def agent(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Agent]:
    async with an_agent(tmp_path_factory.mktemp("spire"), DOMAIN) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory, agent: Agent) -> AsyncIterator[Mesh]:
    """The client has named the agent's socket; for the server the control plane has."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        settings = {"KUMA_RUNTIME_UNIVERSAL_SPIRE_SOCKET_PATH": str(agent.socket)}
        cp = await enter(a_control_plane(tmp_path_factory.mktemp("mesh"), env=settings))
        for each in (EXCLUSIVE, ROOM_FOR_RETRIES, PERMISSIVE, a_permission("allow", WEB, "Exact")):
            await cp.put(each)
        backend = await enter(a_backend("backend"))
        labels = {"kuma.io/workload": "api"}
        served = (Served("api", backend.port),)
        server = await enter(cp.sidecar("server", inbounds=served, labels=labels))
        ref = {"kind": "MeshService", "name": "api", "port": server.inbound}
        client = await enter(
            cp.sidecar(
                "client",
                outbounds={"api": ref},
                labels={"kuma.io/workload": "web"},
                env={
                    "KUMA_DATAPLANE_RUNTIME_SPIRE_SUPPORTED": "true",
                    "KUMA_DATAPLANE_RUNTIME_SPIRE_SOCKET_PATH": str(agent.socket),
                },
            )
        )
        http = await enter(httpx.AsyncClient(timeout=60))
        made = Mesh(cp, client, backend, backend, {"server": server}, http)
        await until(made.get, lambda answer: answer.status_code == 200)
        yield made


async def test_proxies_get_their_identities_from_the_agent(mesh: Mesh, agent: Agent) -> None:
    async with constant_load(mesh.client.ports["api"]) as load:
        await mesh.cp.put(IDENTITY)
        await until(lambda: client_of(mesh), is_by("identity", "web"))
        await load.more(50)

    assert load.failures == []
    assert await uris_on_the_wire(mesh) == [API]
    assert agent.asked == {WEB, API, "ALL"}


async def test_everybody_can_read_what_became_of_it(mesh: Mesh) -> None:
    identity = await read(mesh, "meshidentities/by-spire")
    held = {each["type"]: each["status"] for each in identity["status"]["conditions"]}
    assert held == {"Provider": "True", "Ready": "True"}
    service = await read(mesh, "meshservices/api")
    assert {"type": "SpiffeID", "value": API} in service["spec"]["identities"]
    assert service["status"]["tls"] == {"status": "Ready"}
    assert (await read(mesh, "meshtrusts"))["items"] == []
    insight = (await read(mesh, "dataplanes/server/_overview"))["dataplaneInsight"]
    assert "mTLS" not in insight


async def test_a_permission_names_spiffe_ids(mesh: Mesh) -> None:
    async def status() -> int:
        return (await mesh.get()).status_code

    await mesh.cp.delete(PERMISSIVE)
    await mesh.cp.put(a_permission("allow", f"spiffe://{DOMAIN}/workload/other", "Exact"))
    await until(status, lambda found: found == 403)
    await mesh.cp.put(a_permission("allow", WEB, "Exact"))
    await until(status, lambda found: found == 200)


async def test_no_request_fails_when_certificates_are_renewed(mesh: Mesh, agent: Agent) -> None:
    async def serial() -> int:
        shown: x509.Certificate | None = await on_the_wire(mesh.sidecars["server"].inbound)
        return 0 if shown is None else shown.serial_number

    before = await serial()
    async with constant_load(mesh.client.ports["api"]) as load:
        await agent.rotate()
        await until(serial, lambda found: found not in {0, before})
        await load.more(50)

    assert load.failures == []


async def test_who_comes_later_has_it_from_the_start(mesh: Mesh, agent: Agent) -> None:
    ref = {"kind": "MeshService", "name": "api", "port": mesh.sidecars["server"].inbound}
    labels = {"kuma.io/workload": "late"}
    await mesh.cp.put(a_permission("allow", f"spiffe://{DOMAIN}/workload/late", "Exact"))
    async with mesh.cp.sidecar("late", outbounds={"api": ref}, labels=labels) as late:

        async def ask() -> httpx.Response:
            return await mesh.http.get(late.url("api"))

        await until(ask, lambda answer: answer.status_code == 200)
        seen = (await ask()).json()["headers"]["x-forwarded-client-cert"]
    assert f"spiffe://{DOMAIN}/workload/late" in seen
    assert f"spiffe://{DOMAIN}/workload/late" in agent.asked


async def test_trust_domains_that_trust_each_other_speak(mesh: Mesh, agent: Agent) -> None:
    """The server is certified by the control plane under a domain of its own: SPIRE is told to trust
    it, and the control plane by a MeshTrust to trust SPIRE."""
    server = an_identity("of-server", **{"kuma.io/workload": "api"})
    server["spec"]["spiffeID"] = {"trustDomain": "servers.local"}
    bundle = {"type": "Pem", "pem": {"value": agent.root_pem.decode()}}
    trust = {
        "type": "MeshTrust",
        "mesh": "default",
        "name": "spire",
        "spec": {"trustDomain": DOMAIN, "caBundles": [bundle]},
    }
    await mesh.cp.put(a_permission("allow", WEB, "Exact"))
    await until(mesh.get, lambda answer: answer.status_code == 200)
    await mesh.cp.put(trust)
    await mesh.cp.put(server)

    async def roots() -> list[str]:
        answer = await mesh.cp.rest.get("/meshes/default/meshtrusts/of-server")
        bundles = answer.json()["spec"]["caBundles"] if answer.is_success else []
        return [each["pem"]["value"] for each in bundles]

    await until(roots, bool)
    [root] = await roots()
    await agent.federate("servers.local", root.encode())

    by_server = "By=spiffe://servers.local/workload/api"
    await until(lambda: client_of(mesh), lambda seen: by_server in seen and f"URI={WEB}" in seen)
    await mesh.cp.delete(server)
    await until(lambda: client_of(mesh), lambda seen: f"By={API}" in seen and f"URI={WEB}" in seen)
    await mesh.cp.delete(trust)


async def test_without_the_identity_traffic_is_as_it_was(mesh: Mesh) -> None:
    await mesh.cp.put(PERMISSIVE)
    await mesh.cp.delete(IDENTITY)

    await until(lambda: client_of(mesh), lambda seen: not seen)
    await until(lambda: on_the_wire(mesh.sidecars["server"].inbound), lambda shown: shown is None)
