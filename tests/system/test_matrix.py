"""All policies at once on one pair of proxies: accepted, each does what it promises, and taken away one
after the other each gives back the default, while the others stay.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx
import pytest
import pytest_asyncio

from kuma.policies.catalogue import POLICIES
from tests.support.mesh import (
    HOST,
    Backend,
    ControlPlane,
    Served,
    Sidecar,
    a_backend,
    a_control_plane,
    until,
)
from tests.support.processes import free_ports
from tests.system.conftest import ALLOW_ALL, MTLS

pytestmark = pytest.mark.asyncio(loop_scope="module")

LUA = """\
name: envoy.filters.http.lua
typedConfig:
  "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
  defaultSourceCode:
    inlineString: |
      function envoy_on_response(handle) handle:headers():add("x-patched", "yes") end
"""
Look = Callable[[], Awaitable[object]]


@dataclass
class World:
    """The sidecar of `api` has more inbounds, one for each policy that would be in the others' way."""

    cp: ControlPlane
    client: Sidecar
    api: Sidecar
    v1: Backend
    v2: Backend
    http: httpx.AsyncClient
    log: Path
    metrics: int
    """A free port."""

    async def get(self, service: str = "api", path: str = "/", **headers: str) -> httpx.Response:
        return await self.http.get(self.client.url(service, path), headers=headers)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        cp = await enter(a_control_plane(tmp_path_factory.mktemp("matrix")))
        await cp.put(MTLS)
        await cp.put(ALLOW_ALL)
        v1, v2 = await enter(a_backend("v1")), await enter(a_backend("v2"))
        for backend in (v1, v2):
            seen: set[str] = set()
            backend.delay = lambda path: 0.8 if path == "/slow" else 0.0
            backend.status = lambda path, seen=seen: first_time(path, seen)
        tcp = {name: await enter(a_line_server(name)) for name in ("v1", "v2")}
        first = await enter(cp.sidecar("one", inbounds=served("v1", v1, tcp["v1"])))
        await enter(cp.sidecar("two", inbounds=served("v2", v2, tcp["v2"])[:2]))
        services = ("api", "kv", *APART)
        client = await enter(cp.sidecar("client", outbounds={name: name for name in services}))
        http = await enter(httpx.AsyncClient(timeout=60))
        log = tmp_path_factory.mktemp("log") / "calls.log"
        made = World(cp, client, first, v1, v2, http, log, *free_ports(1))
        for service in ("api", *APART):
            await until(lambda at=service: made.get(at), lambda answer: answer.status_code == 200)
        yield made


APART = ("faulty", "limited", "closed", "narrow")


def served(version: str, backend: Backend, tcp: int) -> list[Served]:
    tags = {"version": version}
    return [
        Served("api", backend.port, "http", tags),
        Served("kv", tcp, "tcp", tags),
        *(Served(name, backend.port) for name in APART),
    ]


def first_time(path: str, seen: set[str]) -> int:
    """A path below /flaky/ conflicts when it is asked for first."""
    if not path.startswith("/flaky/") or path in seen:
        return 200
    seen.add(path)
    return 409


@asynccontextmanager
async def a_line_server(name: str) -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(name.encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, HOST, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def to(default: dict[str, Any], target: str = "api") -> dict[str, Any]:
    return {"to": [{"targetRef": {"kind": "MeshService", "name": target}, "default": default}]}


def on(service: str, **lists: Any) -> dict[str, Any]:
    return {"targetRef": {"kind": "MeshService", "name": service}, **lists}


def subset(service: str) -> dict[str, Any]:
    return {"kind": "MeshServiceSubset", "name": service, "tags": {"version": "v1"}}


def specs(world: World) -> dict[str, dict[str, Any]]:
    """One policy of each kind."""
    everybody = {"kind": "Mesh"}
    return {
        "MeshHTTPRoute": {
            "to": [
                {
                    "targetRef": {"kind": "MeshService", "name": "api"},
                    "rules": [
                        {
                            "matches": [{"path": {"type": "PathPrefix", "value": "/only"}}],
                            "default": {"backendRefs": [subset("api")]},
                        }
                    ],
                }
            ]
        },
        "MeshTCPRoute": {
            "to": [
                {
                    "targetRef": {"kind": "MeshService", "name": "kv"},
                    "rules": [{"default": {"backendRefs": [subset("kv")]}}],
                }
            ]
        },
        "MeshTLS": {"rules": [{"default": {"tlsVersion": {"min": "TLS13"}}}]},
        "MeshLoadBalancingStrategy": to(
            {
                "loadBalancer": {"type": "RingHash"},
                "hashPolicies": [{"type": "Header", "header": {"name": "x-user"}}],
            }
        ),
        "MeshAccessLog": to({"backends": [{"type": "File", "file": {"path": str(world.log)}}]}),
        "MeshTrace": {
            "default": {
                "backends": [{"type": "Zipkin", "zipkin": {"url": "http://127.0.0.1:9/spans"}}]
            }
        },
        "MeshFaultInjection": on(
            "faulty",
            rules=[{"default": {"http": [{"abort": {"httpStatus": 599, "percentage": 100}}]}}],
        ),
        "MeshRateLimit": on(
            "limited",
            rules=[{"default": {"local": {"http": {"requestRate": {"num": 1, "interval": "1h"}}}}}],
        ),
        "MeshTimeout": to({"http": {"requestTimeout": "300ms"}}),
        "MeshTrafficPermission": on(
            "closed", **{"from": [{"targetRef": everybody, "default": {"action": "Deny"}}]}
        ),
        "MeshHealthCheck": to({"http": {"path": "/checked"}, "interval": "200ms"}),
        "MeshCircuitBreaker": to(
            {"connectionLimits": {"maxConnections": 1, "maxPendingRequests": 1, "maxRequests": 1}},
            "narrow",
        ),
        "MeshRetry": to({"http": {"numRetries": 3, "retryOn": ["409"]}}),
        "MeshPassthrough": {"default": {"passthroughMode": "None"}},
        "MeshMetric": {
            "targetRef": {"kind": "Dataplane", "name": "one"},
            "default": {
                "backends": [{"type": "Prometheus", "prometheus": {"port": world.metrics}}]
            },
        },
        "MeshProxyPatch": {
            "default": {
                "appendModifications": [
                    {
                        "httpFilter": {
                            "operation": "AddFirst",
                            "match": {"origin": "outbound"},
                            "value": LUA,
                        }
                    }
                ]
            }
        },
    }


async def versions(world: World, path: str, **headers: str) -> set[str]:
    answers = [await world.get("api", path, **headers) for _ in range(12)]
    return {str(answer.json()["backend"]) for answer in answers}


def looks(world: World) -> dict[str, tuple[Look, object, object]]:
    """For each kind how to see it, what is seen with it, and what without."""

    async def route() -> object:
        return await versions(world, "/only")

    async def lines() -> object:
        return {await line(world) for _ in range(8)}

    async def old_tls() -> object:
        return await refusal_of_old_tls(world.api.inbound)

    async def one_instance() -> object:
        return len(await versions(world, "/", **{"x-user": "anna"}))

    async def traced() -> object:
        return "x-b3-traceid" in (await world.get()).json()["headers"]

    def status(service: str, path: str = "/") -> Look:
        async def look() -> object:
            return (await world.get(service, path)).status_code

        return look

    async def limited() -> object:
        await world.get("limited")
        return (await world.get("limited")).status_code

    async def checked() -> object:
        before = len(world.v2.requests)
        await asyncio.sleep(0.6)
        return any("/checked" in asked for asked, _ in world.v2.requests[before:])

    async def together() -> object:
        world_delay, world.v1.delay = world.v1.delay, lambda _path: 0.3
        try:
            answers = await asyncio.gather(*(world.get("narrow") for _ in range(6)))
        finally:
            world.v1.delay = world_delay
        return max(answer.status_code for answer in answers)

    async def flaky() -> object:
        return (await world.get("api", f"/flaky/{perf_counter()}")).status_code

    async def patched() -> object:
        return "x-patched" in (await world.get()).headers

    async def logged() -> object:
        before = len(world.log.read_text()) if world.log.exists() else 0
        marker = f"/logged/{perf_counter()}"
        await world.get("api", marker)
        for _ in range(21):
            await asyncio.sleep(0.5)
            if world.log.exists() and marker in world.log.read_text()[before:]:
                return True
        return False

    async def scraped() -> object:
        try:
            return (await world.http.get(f"http://{HOST}:{world.metrics}/metrics")).status_code
        except httpx.HTTPError:
            return 0

    async def nothing() -> object:
        return None

    both = {"v1", "v2"}
    return {
        "MeshHTTPRoute": (route, {"v1"}, both),
        "MeshTCPRoute": (lines, {"v1"}, both),
        "MeshTLS": (old_tls, "version", "certificate"),
        "MeshLoadBalancingStrategy": (one_instance, 1, 2),
        "MeshAccessLog": (logged, True, False),
        "MeshTrace": (traced, True, False),
        "MeshFaultInjection": (status("faulty"), 599, 200),
        "MeshRateLimit": (limited, 429, 200),
        "MeshTimeout": (status("api", "/slow"), 504, 200),
        "MeshTrafficPermission": (status("closed"), 403, 200),
        "MeshHealthCheck": (checked, True, False),
        "MeshCircuitBreaker": (together, 503, 200),
        "MeshRetry": (flaky, 200, 409),
        "MeshMetric": (scraped, 200, 0),
        "MeshPassthrough": (nothing, None, None),  # the proxies here redirect nothing
        "MeshProxyPatch": (patched, True, False),
    }


async def line(world: World) -> str:
    reader, writer = await asyncio.open_connection(HOST, world.client.ports["kv"])
    try:
        return (await reader.read()).decode()
    finally:
        writer.close()


async def refusal_of_old_tls(port: int) -> str:
    """Why an inbound refuses a client without a certificate that speaks TLS 1.2 at most."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        _, writer = await asyncio.open_connection(HOST, port, ssl=context)
    except ssl.SSLError as error:
        return "version" if "VERSION" in str(error) else "certificate"
    except OSError:
        return "certificate"
    writer.close()
    return "certificate"


async def rejected(world: World) -> dict[str, int]:
    """What each proxy did not acknowledge."""
    found = {}
    for name in ("client", "one", "two"):
        answer = await world.cp.rest.get(f"/meshes/default/dataplanes/{name}/_overview")
        [*_, last] = answer.json()["dataplaneInsight"]["subscriptions"]
        found[name] = int(last["status"]["total"].get("responsesRejected", 0))
    return found


async def shown(look: Look, wanted: object) -> None:
    await until(look, lambda found: found == wanted)


async def test_all_policies_at_once_and_none_of_them_again(world: World) -> None:
    names, seen = {kind.name for kind in POLICIES}, looks(world)
    documents = {
        kind: {"type": kind, "mesh": "default", "name": "in-the-matrix", "spec": spec}
        for kind, spec in specs(world).items()
        if kind in names
    }
    assert names - set(documents) == set(), "say here how to see it"
    for document in documents.values():
        await world.cp.put(document)
    for kind in documents:
        look, with_it, _ = seen[kind]
        await shown(look, with_it)
    kinds = list(documents)
    for at, kind in enumerate(kinds):
        await world.cp.delete(documents[kind])
        look, _, without = seen[kind]
        await shown(look, without)
        if at == len(kinds) // 2:
            for other in kinds[at + 1 :]:
                assert await seen[other][0]() == seen[other][1], other
    assert {(await world.get(service)).status_code for service in ("api", *APART)} == {200}
    assert await rejected(world) == {"client": 0, "one": 0, "two": 0}
