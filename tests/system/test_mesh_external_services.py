"""What MeshExternalService promises of TLS and of several endpoints, seen on real traffic."""

import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.api.certificates import Authority, Pair
from tests.support.mesh import (
    HOST,
    Backend,
    ControlPlane,
    Sidecar,
    a_backend,
    a_control_plane,
    until,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

FAR = {"kind": "MeshExternalService", "name": "far"}


@dataclass
class World:
    """`guarded` wants a certificate of the authority from its clients, `open` wants none."""

    cp: ControlPlane
    client: Sidecar
    authority: Authority
    stranger: Authority
    open: Backend
    guarded: Backend
    plain: Backend

    async def backend(self) -> str:
        """Who answers at `far`, or the status of a failure."""
        try:
            async with httpx.AsyncClient() as client:
                answer = await client.get(self.client.url("far"))
        except httpx.TransportError:
            return "closed"
        return str(answer.json()["backend"]) if answer.is_success else str(answer.status_code)

    @asynccontextmanager
    async def far(self, *endpoints: dict[str, Any], **tls: Any) -> AsyncIterator[None]:
        spec = {"match": {"port": 443, "protocol": "http"}, "endpoints": list(endpoints)}
        if tls:
            spec["tls"] = {"enabled": True, **tls}
        async with self.existing(named_far(spec)):
            yield
        await until(self.backend, lambda seen: seen in {"closed", "503"})

    @asynccontextmanager
    async def existing(self, document: dict[str, Any]) -> AsyncIterator[None]:
        await self.cp.put(document)
        try:
            yield
        finally:
            await self.cp.delete(document)

    def trusting(self, authority: Authority | None = None, **more: Any) -> dict[str, Any]:
        ca = (authority or self.authority).ca_file.read_bytes()
        return {"verification": {"caCert": inline(ca), **more}}


def named_far(spec: dict[str, Any]) -> dict[str, Any]:
    return {"type": "MeshExternalService", "mesh": "default", "name": "far", "spec": spec}


def inline(content: bytes) -> dict[str, str]:
    return {"inline": base64.b64encode(content).decode()}


def at(backend: Backend, address: str = "localhost", **more: int) -> dict[str, Any]:
    return {"address": address, "port": backend.port, **more}


def server_context(pair: Pair, clients: Authority | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert_file, pair.key_file)
    if clients is not None:
        context.load_verify_locations(clients.ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    directory = tmp_path_factory.mktemp("mesh")
    authority, stranger = Authority(directory), Authority(directory, "stranger")
    pair = authority.issue("server")
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        cp = await enter(a_control_plane(directory))
        await cp.put({"type": "Mesh", "name": "default", "meshServices": {"mode": "Everywhere"}})
        plain = await enter(a_backend("plain"))
        open_ = await enter(a_backend("open", tls=server_context(pair)))
        guarded = await enter(a_backend("guarded", tls=server_context(pair, authority)))
        match = {"port": 443, "protocol": "http"}
        await cp.put(named_far({"match": match, "endpoints": [at(plain)]}))
        client = await enter(cp.sidecar("client", outbounds={"far": FAR}))
        yield World(cp, client, authority, stranger, open_, guarded, plain)


async def test_the_certificate_of_the_service_is_verified(world: World) -> None:
    async with world.far(at(world.open), **world.trusting()):
        await until(world.backend, "open".__eq__)
    async with world.far(at(world.open), **world.trusting(world.stranger)):
        await until(world.backend, "503".__eq__)
        counted = await world.cp.stats("client", "ssl.fail_verify_error")
        assert sum(counted.values()) > 0


async def test_without_a_ca_those_of_the_machine_count(world: World) -> None:
    """Nobody there knows the authority."""
    async with world.far(at(world.open), version={"min": "TLS12"}):
        await until(world.backend, "503".__eq__)


@pytest.mark.parametrize(
    ("mode", "authority", "name", "answer"),
    [
        ("Secured", "authority", "elsewhere.example", "503"),
        ("SkipSAN", "authority", "elsewhere.example", "open"),
        ("SkipSAN", "stranger", "localhost", "503"),
        ("SkipCA", "stranger", "localhost", "open"),
        ("SkipAll", "stranger", "elsewhere.example", "open"),
    ],
)
async def test_the_mode_says_what_is_verified(
    world: World, mode: str, authority: str, name: str, answer: str
) -> None:
    known = {"authority": world.authority, "stranger": world.stranger}[authority]
    async with world.far(at(world.open), **world.trusting(known, mode=mode, serverName=name)):
        await until(world.backend, answer.__eq__)


async def test_further_names_are_accepted(world: World) -> None:
    names = [{"type": "Prefix", "value": "local"}]
    verification = {"serverName": "elsewhere.example", "subjectAltNames": names}
    async with world.far(at(world.open), **world.trusting(**verification)):
        await until(world.backend, "open".__eq__)


async def test_the_sidecar_shows_the_certificate_that_it_is_given(world: World) -> None:
    """One that comes from a Secret, as the key does; without it the service ends the connection."""
    pair = world.authority.issue("client")
    for name, file in (("cert", pair.cert_file), ("key", pair.key_file)):
        data = base64.b64encode(file.read_bytes()).decode()
        await world.cp.put({"type": "Secret", "mesh": "default", "name": name, "data": data})
    shown = {"clientCert": {"secret": "cert"}, "clientKey": {"secret": "key"}}
    async with world.far(at(world.guarded), **world.trusting()):
        await until(world.backend, "503".__eq__)
    async with world.far(at(world.guarded), **world.trusting(**shown)):
        await until(world.backend, "guarded".__eq__)


async def test_versions_of_tls_have_limits(world: World) -> None:
    newest = server_context(world.authority.issue("newest"))
    newest.minimum_version = ssl.TLSVersion.TLSv1_3
    async with a_backend("newest", tls=newest) as backend:
        async with world.far(at(backend), version={"max": "TLS12"}, **world.trusting()):
            await until(world.backend, "503".__eq__)
        async with world.far(at(backend), version={"min": "TLS13"}, **world.trusting()):
            await until(world.backend, "newest".__eq__)


async def test_endpoints_of_the_next_priority_take_over(world: World) -> None:
    """Once the first one is known not to be well."""
    target = {"kind": "MeshExternalService", "name": "far"}
    often = {"interval": "50ms", "noTrafficInterval": "50ms", "timeout": "1s"}
    once = {"unhealthyThreshold": 1, "healthyThreshold": 1}
    check = {"http": {"path": "/"}, **often, **once}
    policy = {
        "type": "MeshHealthCheck",
        "mesh": "default",
        "name": "a-check",
        "spec": {"to": [{"targetRef": target, "default": check}]},
    }
    async with (
        a_backend("second") as second,
        world.far(at(world.plain), at(second, HOST, priority=1)),
        world.existing(policy),
    ):
        await until(world.backend, "plain".__eq__)
        world.plain.status = lambda _: 503
        await until(world.backend, "second".__eq__)
        world.plain.reset()
        await until(world.backend, "plain".__eq__)


async def test_a_mesh_may_forbid_all_of_them(world: World) -> None:
    mesh = {"type": "Mesh", "name": "default", "meshServices": {"mode": "Everywhere"}}
    async with world.far(at(world.plain)):
        await until(world.backend, "plain".__eq__)
        await world.cp.put({**mesh, "routing": {"defaultForbidMeshExternalServiceAccess": True}})
        await until(world.backend, "503".__eq__)
        await world.cp.put(mesh)
        await until(world.backend, "plain".__eq__)
