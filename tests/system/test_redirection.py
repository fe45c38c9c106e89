"""Applications call services by virtual addresses, and know nothing of their sidecar."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.api.certificates import Authority
from tests.support.mesh import Backend, ControlPlane, a_backend, a_control_plane, until
from tests.support.processes import accepts, free_ports
from tests.support.redirection import (
    ELSEWHERE,
    ELSEWHERE_TOO,
    INCOMING,
    MACHINE,
    a_network,
    backend_at,
    needs_namespace,
)
from tests.system.conftest import ALLOW_ALL, MTLS
from tests.system.test_protocols import server_context

pytestmark = [pytest.mark.asyncio(loop_scope="module"), needs_namespace]

MESH = {**MTLS, "meshServices": {"mode": "Everywhere"}}
API_PORT = 8080


@dataclass
class World:
    """`web` is the redirected sidecar; the tests are its workload, and its callers. `workload` is behind
    it, `outside`, and `secure` with TLS, serve at ELSEWHERE, `also` at ELSEWHERE_TOO."""

    cp: ControlPlane
    api: Backend
    workload: Backend
    outside: Backend
    secure: Backend
    also: Backend
    admin: int

    async def web(self, **redirection: Any) -> None:
        await self.cp.put(a_web(self.workload.port, self.admin, **redirection))

    async def vip(self, kind: str, name: str) -> str:
        async def ask() -> list[str]:
            answer = await self.cp.rest.get(f"/meshes/default/{kind}/{name}")
            status = answer.json().get("status", {}) if answer.is_success else {}
            held = (*status.get("vips", []), status.get("vip", {}))
            return [each["ip"] for each in held if each.get("ip")]

        await until(ask, bool)
        return (await ask())[0]


async def reaches(name: str, address: str, port: int, **options: Any) -> None:
    await until(lambda: backend_at(address, port, **options), lambda found: found == name)


async def reaches_no(name: str, address: str, port: int, **options: Any) -> None:
    await until(lambda: backend_at(address, port, **options), lambda found: found != name)


def a_web(workload: int, admin: int, **redirection: Any) -> dict[str, Any]:
    tags = {"kuma.io/service": "web", "kuma.io/protocol": "http"}
    ports = {"redirectPortInbound": 15006, "redirectPortOutbound": 15001, "ipFamilyMode": "IPv4"}
    return {
        "type": "Dataplane",
        "mesh": "default",
        "name": "web",
        "networking": {
            "address": MACHINE,
            "admin": {"port": admin},
            "inbound": [{"port": API_PORT, "servicePort": workload, "tags": tags}],
            "transparentProxying": {**ports, **redirection},
        },
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    with a_network():
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            cp = await enter(a_control_plane(tmp_path_factory.mktemp("redirected")))
            await cp.put(MESH)
            await cp.put(ALLOW_ALL)
            api = await enter(a_backend("api"))
            await enter(cp.sidecar("api", app_port=api.port))
            workload = await enter(a_backend("web", host=MACHINE))
            outside = await enter(a_backend("outside", host=ELSEWHERE))
            tls = server_context(Authority(tmp_path_factory.mktemp("tls")).issue("outside"))
            secure = await enter(a_backend("secure", host=ELSEWHERE, tls=tls))
            also = await enter(a_backend("also", host=ELSEWHERE_TOO))
            [admin] = free_ports(1)
            document = a_web(workload.port, admin)
            await cp.put(document)
            sidecar = await enter(cp.kuma_dp(document))
            try:
                await accepts(15001)
            except TimeoutError:
                raise AssertionError(f"{sidecar.log}\n{cp.process.log}") from None
            yield World(cp, api, workload, outside, secure, also, admin)


async def test_a_mesh_service_is_called_by_its_virtual_address(world: World) -> None:
    [port] = (await world.cp.rest.get("/meshes/default/meshservices/api")).json()["spec"]["ports"]
    vip = await world.vip("meshservices", "api")

    assert vip.startswith("241.")
    await reaches("api", vip, port["port"])
    _, headers = world.api.requests[-1]
    assert "spiffe://default/web" in headers["x-forwarded-client-cert"]


async def test_a_service_by_tags_is_called_by_its_virtual_address(world: World) -> None:
    await reaches("api", "240.0.0.0", 80)


async def test_a_mesh_external_service_is_called_by_its_virtual_address(world: World) -> None:
    endpoint = {"address": ELSEWHERE, "port": world.outside.port}
    match = {"type": "HostnameGenerator", "port": 80, "protocol": "http"}
    spec = {"match": match, "endpoints": [endpoint]}
    made = {"type": "MeshExternalService", "mesh": "default", "name": "outside", "spec": spec}
    await world.cp.put(made)

    vip = await world.vip("meshexternalservices", "outside")

    assert vip.startswith("242.")
    await reaches("outside", vip, 80)
    await world.cp.delete(made)


async def test_what_is_not_reachable_is_not_there(world: World) -> None:
    await reaches("api", "240.0.0.0", 80)

    await world.web(reachableServices=["web"])
    await reaches_no("api", "240.0.0.0", 80)

    await world.web()
    await reaches("api", "240.0.0.0", 80)


async def test_other_traffic_passes_unless_the_mesh_forbids_it(world: World) -> None:
    there = ELSEWHERE, world.outside.port
    await reaches("outside", *there)

    await world.cp.put({**MESH, "networking": {"outbound": {"passthrough": False}}})
    await reaches_no("outside", *there)

    await world.cp.put(MESH)
    await reaches("outside", *there)


async def test_instances_are_called_directly_where_that_is_asked_for(world: World) -> None:
    instance = (await world.cp.rest.get("/meshes/default/dataplanes/api")).json()["networking"]
    there = instance["address"], instance["inbound"][0]["port"]
    assert await backend_at(*there) != "api"  # plaintext, which the sidecar of api refuses

    await world.web(directAccessServices=["api"])

    await reaches("api", *there)
    await world.web()


async def test_such_calls_are_logged(world: World) -> None:
    instance = (await world.cp.rest.get("/meshes/default/dataplanes/api")).json()["networking"]
    there = instance["address"], instance["inbound"][0]["port"]
    log = world.cp.directory / "direct.log"
    default = {"backends": [{"type": "File", "file": {"path": str(log)}}]}
    spec = {"to": [{"targetRef": {"kind": "Mesh"}, "default": default}]}
    policy = {"type": "MeshAccessLog", "mesh": "default", "name": "direct", "spec": spec}
    await world.cp.put(policy)
    await world.web(directAccessServices=["*"])

    async def logged() -> str:
        await backend_at(*there)
        return log.read_text() if log.exists() else ""

    await until(logged, lambda found: f"(direct_access_{there[0]}:{there[1]})" in found)
    await world.cp.delete(policy)
    await world.web()


def passthrough(mode: str, *matches: dict[str, Any]) -> dict[str, Any]:
    default = {"passthroughMode": mode, "appendMatch": list(matches)}
    spec = {"targetRef": {"kind": "Mesh"}, "default": default}
    return {"type": "MeshPassthrough", "mesh": "default", "name": "out", "spec": spec}


async def test_a_host_that_is_matched_is_called_and_no_other(world: World) -> None:
    there = ELSEWHERE, world.outside.port
    match = {"type": "Domain", "value": "*.example.com", "protocol": "http", "port": there[1]}
    policy = passthrough("Matched", match)
    await world.cp.put(policy)

    await reaches("503", *there, host="www.example.org")
    assert await backend_at(*there, host="www.example.com") == "outside"
    assert await backend_at(*there, host=f"www.example.com:{there[1]}") == "outside"
    await reaches("api", "240.0.0.0", 80)

    await world.cp.delete(policy)
    await reaches("outside", *there, host="www.example.org")


async def test_an_address_that_is_matched_is_called_and_no_other(world: World) -> None:
    there, also = (ELSEWHERE, world.outside.port), (ELSEWHERE_TOO, world.also.port)
    policy = passthrough("Matched", {"type": "CIDR", "value": f"{ELSEWHERE}/32"})
    await world.cp.put(policy)

    await reaches_no("also", *also)
    await reaches("outside", *there)

    match = {"type": "IP", "value": ELSEWHERE_TOO, "protocol": "mysql", "port": also[1]}
    await world.cp.put(passthrough("Matched", match))
    await reaches("also", *also)
    await reaches_no("outside", *there)

    await world.cp.delete(policy)
    await reaches("outside", *there)


async def test_a_server_name_that_is_matched_is_called_and_no_other(world: World) -> None:
    there = ELSEWHERE, world.secure.port
    tls = ssl.create_default_context()
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE
    match = {"type": "Domain", "value": "www.example.com", "protocol": "tls", "port": there[1]}
    policy = passthrough("Matched", match)
    await reaches("secure", *there, host="www.example.org", tls=tls)
    await world.cp.put(policy)

    await reaches_no("secure", *there, host="www.example.org", tls=tls)
    await reaches("secure", *there, host="www.example.com", tls=tls)

    await world.cp.delete(policy)
    await reaches("secure", *there, host="www.example.org", tls=tls)


async def test_a_policy_goes_before_the_mesh(world: World) -> None:
    there = ELSEWHERE, world.outside.port
    policy = passthrough("None")
    await world.cp.put(policy)
    await reaches_no("outside", *there)

    await world.cp.put({**MESH, "networking": {"outbound": {"passthrough": False}}})
    await world.cp.put(passthrough("All"))
    await reaches("outside", *there)

    await world.cp.delete(policy)
    await reaches_no("outside", *there)
    await world.cp.put(MESH)
    await reaches("outside", *there)


async def test_what_comes_to_the_machine_reaches_the_workload_and_no_other_port(
    world: World,
) -> None:
    """Without a certificate nobody comes in by the inbound, nor beside it by the workload's port."""
    ports = (API_PORT, world.workload.port)
    for port in ports:
        assert await backend_at(MACHINE, port, mark=INCOMING) != "web"

    await world.cp.put({"type": "Mesh", "name": "default", "meshServices": MESH["meshServices"]})
    for port in ports:
        await reaches("web", MACHINE, port, mark=INCOMING)
    await world.cp.put(MESH)


async def test_applications_are_measured_from_where_nothing_is_redirected(world: World) -> None:
    callers: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        callers.append(writer.get_extra_info("peername")[0])
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\norders 7\n")
        await writer.drain()
        writer.close()

    [port] = free_ports(1)
    server = await asyncio.start_server(serve, MACHINE, 0)
    default = {
        "applications": [{"port": server.sockets[0].getsockname()[1]}],
        "backends": [{"type": "Prometheus", "prometheus": {"port": port}}],
    }
    target = {"kind": "Dataplane", "name": "web"}
    policy = {"type": "MeshMetric", "mesh": "default", "name": "under-test"}
    async with server, httpx.AsyncClient() as client:
        await world.cp.put({**policy, "spec": {"targetRef": target, "default": default}})

        async def scraped() -> str:
            try:
                return (await client.get(f"http://{MACHINE}:{port}/metrics")).text
            except httpx.HTTPError:
                return ""

        await until(scraped, lambda text: "orders{" in text)
        await world.cp.delete(policy)
    assert set(callers) == {"127.0.0.6"}
