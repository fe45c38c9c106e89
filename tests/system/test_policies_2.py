"""What MeshHealthCheck, MeshRateLimit, MeshFaultInjection and MeshTLS promise, seen on traffic
through real Envoys."""

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import pytest_asyncio

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
from tests.support.servers import (
    Greeter,
    GreeterClient,
    a_greeter,
    a_greeter_client,
    an_echo_server,
    echo,
)
from tests.system.conftest import ALLOW_ALL, MTLS

pytestmark = pytest.mark.asyncio(loop_scope="module")

SIDECARS = {"kind": "Mesh", "proxyTypes": ["Sidecar"]}


@dataclass
class World:
    """`client` and `other` call the same services; `v1` and `v2` serve `api`."""

    cp: ControlPlane
    client: Sidecar
    other: Sidecar
    server: Sidecar
    v1: Backend
    v2: Backend
    greeter: Greeter
    calls: GreeterClient
    http: httpx.AsyncClient

    async def get(self, path: str = "/", *, of: Sidecar | None = None) -> httpx.Response:
        return await self.http.get((of or self.client).url("api", path))

    async def version(self) -> str:
        answer = await self.get()
        return str(answer.json()["backend"]) if answer.is_success else str(answer.status_code)

    async def versions(self, count: int = 10) -> set[str]:
        return {await self.version() for _ in range(count)}

    async def statuses(self, count: int, *, of: Sidecar | None = None) -> Counter[int]:
        return Counter([(await self.get(of=of)).status_code for _ in range(count)])

    async def echoes(self, count: int = 6) -> set[str]:
        return {await echo(self.client.ports["db"], "x") for _ in range(count)}

    async def listener_updates(self) -> int:
        """How often a listener of the server was changed."""
        names = {f"listener_manager.listener_{each}" for each in ("modified", "in_place_updated")}
        counted = await self.cp.stats("server", "listener_manager.listener_")
        return sum(counted[name] for name in names)

    @asynccontextmanager
    async def applied(
        self, kind: str, spec: dict[str, Any], name: str = "under-test"
    ) -> AsyncIterator[None]:
        """A policy for the time of a test."""
        document = {"type": kind, "mesh": "default", "name": name, "spec": spec}
        await self.cp.put(document)
        try:
            yield
        finally:
            await self.cp.delete(document)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    directory: Path = tmp_path_factory.mktemp("mesh")
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        cp = await enter(a_control_plane(directory))
        await cp.put(MTLS)
        await cp.put(ALLOW_ALL)
        v1, v2 = await enter(a_backend("v1")), await enter(a_backend("v2"))
        greeter = await enter(a_greeter())
        server = await enter(
            cp.sidecar(
                "server",
                inbounds=(
                    Served("api", v1.port),
                    Served("greeter", greeter.port, "grpc"),
                    Served("db", await enter(an_echo_server("one")), "tcp"),
                ),
            )
        )
        served = (
            Served("api", v2.port),
            Served("db", await enter(an_echo_server("two")), "tcp"),
        )
        await enter(cp.sidecar("server-2", inbounds=served))
        called = {each: each for each in ("api", "greeter", "db")}
        client, other = [
            await enter(cp.sidecar(name, outbounds=called, tags={"team": name}))
            for name in ("client", "other")
        ]
        calls = await enter(a_greeter_client(client.ports["greeter"]))
        http = await enter(httpx.AsyncClient(timeout=20))
        made = World(cp, client, other, server, v1, v2, greeter, calls, http)
        await until(made.versions, lambda seen: seen == {"v1", "v2"})
        yield made


# MeshHealthCheck


def checking(service: str, **conf: Any) -> dict[str, Any]:
    """Checks often enough for a test, also before the first request."""
    often = {"interval": "50ms", "noTrafficInterval": "50ms", "timeout": "1s"}
    once = {"unhealthyThreshold": 1, "healthyThreshold": 1}
    target = {"kind": "MeshService", "name": service}
    return {"to": [{"targetRef": target, "default": {**often, **once, **conf}}]}


async def test_an_endpoint_that_fails_its_http_check_gets_no_requests(world: World) -> None:
    world.v1.status = lambda path: 503 if path == "/health" else 200
    world.v2.status = lambda path: 202 if path == "/health" else 200
    check = {"path": "/health", "expectedStatuses": [202]}
    try:
        async with world.applied("MeshHealthCheck", checking("api", http=check)):
            await until(world.versions, lambda seen: seen == {"v2"})
            world.v1.status = world.v2.status
            await until(world.versions, lambda seen: seen == {"v1", "v2"})
            world.v1.status = lambda path: 503 if path == "/health" else 200
            await until(world.versions, lambda seen: seen == {"v2"})
        await until(world.versions, lambda seen: seen == {"v1", "v2"})
    finally:
        world.v1.status = world.v2.status = lambda _: 200


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


# MeshRateLimit

API = {**SIDECARS, "kind": "MeshSubset", "tags": {"kuma.io/service": "api"}}
DB = {**API, "tags": {"kuma.io/service": "db"}}
OTHER = {"spiffeID": {"type": "Exact", "value": "spiffe://default/other"}}


def limiting(local: dict[str, Any], *matches: dict[str, Any]) -> dict[str, Any]:
    return {"targetRef": API, "rules": [{"matches": [*matches], "default": {"local": local}}]}


def requests(num: int, **more: Any) -> dict[str, Any]:
    return {"http": {"requestRate": {"num": num, "interval": "1h"}, **more}}


async def test_requests_over_the_rate_are_answered_as_the_policy_says(world: World) -> None:
    headers = {"set": [{"name": "x-limited", "value": "yes"}]}
    limit = requests(3, onRateLimit={"status": 503, "headers": headers})
    async with world.applied("MeshRateLimit", limiting(limit)):
        await until(world.get, lambda answer: answer.status_code == 503)
        assert (await world.get()).headers["x-limited"] == "yes"
    assert await world.statuses(20) == {200: 20}


async def test_the_limit_of_one_client_is_not_that_of_others(world: World) -> None:
    async with world.applied("MeshRateLimit", limiting(requests(1), OTHER)):
        await until(lambda: world.get(of=world.other), lambda answer: answer.status_code == 429)
        assert await world.statuses(10) == {200: 10}
    await until(lambda: world.get(of=world.other), lambda answer: answer.status_code == 200)


async def test_one_client_is_free_of_the_limit_of_all_others(world: World) -> None:
    spec = limiting(requests(1))
    free = {"matches": [OTHER], "default": {"local": {"http": {"disabled": True}}}}
    spec["rules"].append(free)
    async with world.applied("MeshRateLimit", spec):
        await until(world.get, lambda answer: answer.status_code == 429)
        assert await world.statuses(10, of=world.other) == {200: 10}


async def test_a_limit_for_requests_touches_no_listener(world: World) -> None:
    before = await world.listener_updates()
    async with world.applied("MeshRateLimit", limiting(requests(1))):
        await until(world.get, lambda answer: answer.status_code == 429)
    await until(world.get, lambda answer: answer.status_code == 200)

    assert await world.listener_updates() == before


async def test_connections_over_the_rate_are_closed(world: World) -> None:
    rate = {"tcp": {"connectionRate": {"num": 1, "interval": "1h"}}}
    async with world.applied("MeshRateLimit", {**limiting(rate), "targetRef": DB}):
        await until(world.echoes, lambda seen: seen == {""})
        assert await world.statuses(5) == {200: 5}
    await until(world.echoes, lambda seen: seen == {"one x", "two x"})


# MeshFaultInjection

ABORT = {"abort": {"httpStatus": 418, "percentage": 100}}


def injecting(*faults: dict[str, Any], **of: Any) -> dict[str, Any]:
    """For all, or for the clients that `matches` or `client` speaks of."""
    default = {"http": [*faults]}
    if "client" in of:
        return {"targetRef": API, "from": [{"targetRef": of["client"], "default": default}]}
    return {"targetRef": API, "rules": [{"default": default, **of}]}


async def test_requests_are_aborted_with_the_status_of_the_policy(world: World) -> None:
    async with world.applied("MeshFaultInjection", injecting(ABORT)):
        await until(world.get, lambda answer: answer.status_code == 418)
        assert await world.statuses(10) == {418: 10}
        assert await world.calls.hello("you") == "hello you"
    await until(world.get, lambda answer: answer.status_code == 200)


async def test_a_share_of_the_requests_is_aborted(world: World) -> None:
    half = {"abort": {"httpStatus": 418, "percentage": "50.5"}}
    async with world.applied("MeshFaultInjection", injecting(half)):
        await until(world.get, lambda answer: answer.status_code == 418)
        seen = await world.statuses(100)
        assert 20 <= seen[418] <= 80
        assert seen[200] == 100 - seen[418]


async def test_several_faults_hit_one_after_another(world: World) -> None:
    never = {"abort": {"httpStatus": 500, "percentage": 0}}
    async with world.applied("MeshFaultInjection", injecting(never, {}, ABORT)):
        await until(world.get, lambda answer: answer.status_code == 418)
        assert await world.statuses(10) == {418: 10}


async def test_requests_wait(world: World) -> None:
    delay = {"delay": {"value": "150ms", "percentage": 100}}

    async def took() -> float:
        return (await world.get()).elapsed.total_seconds()

    async with world.applied("MeshFaultInjection", injecting(delay)):
        await until(took, lambda seconds: seconds >= 0.15)
    await until(took, lambda seconds: seconds < 0.15)


async def test_answers_are_sent_slowly(world: World) -> None:
    """64 KiB in a second: the body has 8, and the first part of it is not held back."""
    slow = {"responseBandwidth": {"limit": "64kbps", "percentage": 100}}

    async def took() -> float:
        return (await world.get(f"/{'x' * 8192}")).elapsed.total_seconds()

    async with world.applied("MeshFaultInjection", injecting(slow)):
        await until(took, lambda seconds: seconds > 0.06)
    await until(took, lambda seconds: seconds < 0.06)


@pytest.mark.parametrize(
    "of",
    [
        {"matches": [OTHER]},
        {"client": {"kind": "MeshService", "name": "other"}},
        {"client": {"kind": "MeshSubset", "tags": {"team": "other"}}},
        {"client": {"kind": "MeshServiceSubset", "name": "other", "tags": {"team": "*"}}},
    ],
    ids=str,
)
async def test_only_the_clients_that_are_meant_have_faults(
    world: World, of: dict[str, Any]
) -> None:
    async with world.applied("MeshFaultInjection", injecting(ABORT, **of)):
        await until(lambda: world.get(of=world.other), lambda answer: answer.status_code == 418)
        assert await world.statuses(10) == {200: 10}
    await until(lambda: world.get(of=world.other), lambda answer: answer.status_code == 200)


async def test_a_client_cannot_say_that_it_is_another(world: World) -> None:
    forged = {"x-kuma-client-uris": "spiffe://default/other", "x-kuma-tags": "&team=other&"}
    async with world.applied("MeshFaultInjection", injecting(ABORT, matches=[OTHER])):
        await until(lambda: world.statuses(10, of=world.other), lambda counts: counts == {418: 10})
        answers = [await world.http.get(world.client.url("api"), headers=forged) for _ in range(10)]
    await until(lambda: world.get(of=world.other), lambda found: found.status_code == 200)

    assert {answer.status_code for answer in answers} == {200}
    assert not any({*forged} & {*answer.json()["headers"]} for answer in answers)


async def test_without_mutual_tls_clients_are_known_by_the_tags_that_they_send(
    world: World,
) -> None:
    other = {"kind": "MeshSubset", "tags": {"team": "other"}}
    await world.cp.put({"type": "Mesh", "name": "default"})
    try:
        async with world.applied("MeshFaultInjection", injecting(ABORT, client=other)):
            await until(lambda: world.get(of=world.other), lambda answer: answer.status_code == 418)
            await until(lambda: world.statuses(10), lambda seen: seen == {200: 10})
        await until(lambda: world.statuses(5, of=world.other), lambda seen: seen == {200: 5})
    finally:
        await world.cp.put(MTLS)
    await until(world.versions, lambda seen: seen == {"v1", "v2"})


async def test_a_fault_for_all_touches_no_listener(world: World) -> None:
    before = await world.listener_updates()
    async with world.applied("MeshFaultInjection", injecting(ABORT)):
        await until(world.get, lambda answer: answer.status_code == 418)
    await until(world.get, lambda answer: answer.status_code == 200)

    assert await world.listener_updates() == before


# MeshTLS


def terms(target: dict[str, Any] = SIDECARS, **conf: Any) -> dict[str, Any]:
    return {"targetRef": target, "rules": [{"default": conf}]}


async def plaintext(world: World) -> int:
    """The status past the client's sidecar; 0: refused."""
    try:
        async with httpx.AsyncClient() as client:
            url = f"http://{HOST}:{world.server.inbounds['api']}/"
            return (await client.get(url)).status_code
    except httpx.TransportError:
        return 0


async def takes(world: World, version: ssl.TLSVersion) -> bool:
    """Whether the server speaks this version; a client without a certificate learns no more."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    try:
        _, writer = await asyncio.open_connection(HOST, world.server.inbounds["api"], ssl=context)
    except ssl.SSLError as error:
        return "PROTOCOL_VERSION" not in str(error)
    except ConnectionError:
        return True
    writer.close()
    return True


async def test_one_proxy_takes_plaintext_beside_mutual_tls(world: World) -> None:
    server = {"kind": "MeshSubset", "tags": {"kuma.io/service": "greeter"}}
    api = {"kind": "MeshSubset", "tags": {"kuma.io/service": "api"}}
    assert await plaintext(world) == 0
    async with world.applied("MeshTLS", terms(server, mode="Permissive")):
        async with world.applied("MeshTLS", terms(api, mode="Permissive"), "another"):
            await until(lambda: plaintext(world), lambda status: status == 200)
            seen = (await world.get()).json()["headers"]["x-forwarded-client-cert"]
            assert "spiffe://default/client" in seen
        await until(lambda: plaintext(world), lambda status: status == 0)
    assert (await world.get()).status_code == 200


async def test_versions_hold_in_both_directions(world: World) -> None:
    async def taken() -> tuple[bool, ...]:
        versions = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
        return tuple([await takes(world, version) for version in versions])

    assert await taken() == (True, True)
    async with world.applied("MeshTLS", terms(tlsVersion={"min": "TLS13"})):
        await until(taken, lambda seen: seen == (False, True))
        assert await world.statuses(5) == {200: 5}
    async with world.applied("MeshTLS", terms(tlsVersion={"max": "TLS12"})):
        await until(taken, lambda seen: seen == (True, False))
        assert await world.statuses(5) == {200: 5}
    await until(taken, lambda seen: seen == (True, True))


async def test_ciphers_hold_in_both_directions(world: World) -> None:
    cipher = "ECDHE-ECDSA-CHACHA20-POLY1305"

    async def used() -> list[bool]:
        await world.get()
        name = f".ssl.ciphers.{cipher}"
        return [any((await world.cp.stats(each, name)).values()) for each in ("server", "client")]

    conf = {"tlsVersion": {"max": "TLS12"}, "tlsCiphers": [cipher]}
    async with world.applied("MeshTLS", terms(**conf)):
        await until(used, all)
    await until(world.versions, lambda seen: seen == {"v1", "v2"})
