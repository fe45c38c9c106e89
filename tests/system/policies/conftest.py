"""One mesh of real processes for the traffic tests of all policies: what each promises, seen on requests
through real Envoys with mutual TLS. Tests change policies and take them away again.
"""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.support.mesh import (
    Backend,
    ControlPlane,
    Served,
    Sidecar,
    a_backend,
    a_control_plane,
    until,
)
from tests.support.servers import (
    Greeter,
    GreeterClient,
    a_greeter,
    a_greeter_client,
    an_echo_server,
    echo,
)
from tests.system.conftest import ALLOW_ALL, MTLS

SIDECARS = {"kind": "Mesh", "proxyTypes": ["Sidecar"]}
API = {"kind": "MeshSubset", "proxyTypes": ["Sidecar"], "tags": {"kuma.io/service": "api"}}
DB = {**API, "tags": {"kuma.io/service": "db"}}
NO_RETRIES = {"http": {"numRetries": 0}}
BOTH = {"v1", "v2"}


def to(service: str, default: Mapping[str, Any], kind: str = "MeshService") -> dict[str, Any]:
    return {"to": [{"targetRef": {"kind": kind, "name": service}, "default": default}]}


def version(name: str, service: str = "api", weight: int = 1) -> dict[str, Any]:
    """A backend that is one version of a service."""
    tags = {"version": name}
    return {"kind": "MeshServiceSubset", "name": service, "tags": tags, "weight": weight}


def spiffe(service: str, form: str = "Exact") -> dict[str, Any]:
    """The clients of one service, as `matches` names them."""
    return {"spiffeID": {"type": form, "value": f"spiffe://default/{service}"}}


@dataclass
class World:
    """`client` and `other` call the same services. `server` and `second` serve version v1 and v2 of `api`
    and `db`; `next` and `greeter` have one instance, and nobody listens at `hole` until a test does."""

    cp: ControlPlane
    client: Sidecar
    other: Sidecar
    server: Sidecar
    second: Sidecar
    v1: Backend
    v2: Backend
    next: Backend
    greeter: Greeter
    calls: GreeterClient
    http: httpx.AsyncClient

    async def get(
        self,
        path: str = "/",
        *,
        of: Sidecar | None = None,
        service: str = "api",
        method: str = "GET",
        **headers: str,
    ) -> httpx.Response:
        """`x_user` stands for the header `x-user`."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return await self.http.request(
            method, (of or self.client).url(service, path), headers=named
        )

    async def version(self, path: str = "/", **options: Any) -> str:
        """Which version answers, or the status of a failure."""
        answer = await self.get(path, **options)
        return str(answer.json()["backend"]) if answer.is_success else str(answer.status_code)

    async def versions(self, count: int = 10, path: str = "/", **options: Any) -> set[str]:
        return set(await self.counted(count, path, **options))

    async def counted(self, count: int, path: str = "/", **options: Any) -> Counter[str]:
        return Counter([await self.version(path, **options) for _ in range(count)])

    async def status(self, path: str = "/", **options: Any) -> int:
        return (await self.get(path, **options)).status_code

    async def statuses(self, count: int, path: str = "/", **options: Any) -> Counter[int]:
        return Counter([await self.status(path, **options) for _ in range(count)])

    async def seen(self, path: str = "/", **options: Any) -> dict[str, Any]:
        """The request as the application got it."""
        found: dict[str, Any] = (await self.get(path, **options)).json()
        return found

    async def echoes(self, count: int = 6, service: str = "db") -> set[str]:
        return {await echo(self.client.ports[service], "x") for _ in range(count)}

    async def listener_updates(self) -> int:
        """How often a listener of the server was changed."""
        names = {f"listener_manager.listener_{each}" for each in ("modified", "in_place_updated")}
        counted = await self.cp.stats("server", "listener_manager.listener_")
        return sum(counted[name] for name in names)

    @asynccontextmanager
    async def applied(
        self, kind: str, spec: Mapping[str, Any], name: str = "a-policy"
    ) -> AsyncIterator[None]:
        """A policy for the time of a test."""
        document = {"type": kind, "mesh": "default", "name": name, "spec": spec}
        async with self.existing(document):
            yield

    @asynccontextmanager
    async def existing(self, document: Mapping[str, Any]) -> AsyncIterator[None]:
        await self.cp.put(document)
        try:
            yield
        finally:
            await self.cp.delete(document)


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def made(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    directory: Path = tmp_path_factory.mktemp("mesh")
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        cp = await enter(a_control_plane(directory))
        await cp.put(MTLS)
        await cp.put(ALLOW_ALL)
        backends = [await enter(a_backend(name)) for name in ("v1", "v2", "next")]
        greeter = await enter(a_greeter())
        served = [
            Served("api", backends[0].port, tags={"version": "v1"}),
            Served("greeter", greeter.port, "grpc"),
            Served("db", await enter(an_echo_server("one")), "tcp", {"version": "v1"}),
            Served("next", backends[2].port),
        ]
        server = await enter(cp.sidecar("server", inbounds=served))
        served = [
            Served("api", backends[1].port, tags={"version": "v2"}),
            Served("db", await enter(an_echo_server("two")), "tcp", {"version": "v2"}),
        ]
        second = await enter(cp.sidecar("second", inbounds=served))
        called = {each: each for each in ("api", "greeter", "db", "next", "hole")}
        client, other = [
            await enter(cp.sidecar(name, outbounds=called, tags={"team": name}))
            for name in ("client", "other")
        ]
        calls = await enter(a_greeter_client(client.ports["greeter"]))
        http = await enter(httpx.AsyncClient(timeout=60))
        yield World(cp, client, other, server, second, *backends, greeter, calls, http)


@pytest_asyncio.fixture(loop_scope="package")
async def world(made: World) -> AsyncIterator[World]:
    """Both versions answer, and what a test did to the applications is undone."""
    await until(made.versions, BOTH.__eq__)
    yield made
    for backend in (made.v1, made.v2, made.next):
        backend.reset()
    made.greeter.fails = lambda _: None
    made.http.cookies.clear()
