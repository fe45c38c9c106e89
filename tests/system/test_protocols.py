"""Each protocol through two real Envoys with mutual TLS, and services outside of the mesh."""

import base64
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
import pytest
import pytest_asyncio

from tests.api.certificates import Authority, Pair
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
    an_http2_server,
    echo,
)
from tests.system.conftest import ALLOW_ALL, MTLS

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Mesh:
    cp: ControlPlane
    client: Sidecar
    server: Sidecar
    greeter: Greeter
    calls: GreeterClient
    authority: Authority
    outside: Backend
    outside_tls: Backend

    def port(self, service: str) -> int:
        return self.client.ports[service]


OUTSIDE = ("plain-outside", "tls-outside", "untrusted-outside", "misnamed-outside")


def external(name: str, port: int, tls: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "type": "ExternalService",
        "mesh": "default",
        "name": name,
        "tags": {"kuma.io/service": name, "kuma.io/protocol": "http"},
        "networking": {"address": f"{HOST}:{port}", "tls": tls or {}},
    }


def server_context(pair: Pair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert_file, pair.key_file)
    return context


def inline(authority: Authority) -> dict[str, str]:
    return {"inline": base64.b64encode(authority.ca_file.read_bytes()).decode()}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mesh]:
    directory = tmp_path_factory.mktemp("mesh")
    authority, stranger = Authority(directory), Authority(directory, "stranger")
    tls = server_context(authority.issue("workload"))
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        cp = await enter(a_control_plane(directory))
        await cp.put(MTLS)
        await cp.put(ALLOW_ALL)
        outside = await enter(a_backend("outside"))
        outside_tls = await enter(a_backend("outside-tls", tls=tls))
        greeter = await enter(a_greeter())
        await cp.put(external("plain-outside", outside.port))
        trusted = {"enabled": True, "caCert": inline(authority)}
        await cp.put(external("tls-outside", outside_tls.port, trusted))
        untrusted = {"enabled": True, "caCert": inline(stranger)}
        await cp.put(external("untrusted-outside", outside_tls.port, untrusted))
        misnamed = {**trusted, "serverName": "elsewhere.example"}
        await cp.put(external("misnamed-outside", outside_tls.port, misnamed))
        db = {version: await enter(an_echo_server(version)) for version in ("v1", "v2")}
        server = await enter(
            cp.sidecar(
                "server",
                inbounds=(
                    Served("greeter", greeter.port, "grpc"),
                    Served("web2", await enter(an_http2_server("web2")), "http2"),
                    Served("vault", await enter(an_echo_server("vault", tls=tls)), "tls"),
                    Served("db", db["v1"], "tcp", {"version": "v1"}),
                ),
            )
        )
        await enter(
            cp.sidecar("db-2", inbounds=(Served("db", db["v2"], "tcp", {"version": "v2"}),))
        )
        subset = {"kuma.io/service": "db", "version": "v2"}
        called = {each: each for each in ("greeter", "web2", "vault", "db", *OUTSIDE)}
        client = await enter(cp.sidecar("client", outbounds={**called, "db-v2": subset}))
        calls = await enter(a_greeter_client(client.ports["greeter"]))
        yield Mesh(cp, client, server, greeter, calls, authority, outside, outside_tls)


@asynccontextmanager
async def applied(mesh: Mesh, kind: str, spec: dict[str, Any]) -> AsyncIterator[None]:
    document = {"type": kind, "mesh": "default", "name": "under-test", "spec": spec}
    await mesh.cp.put(document)
    try:
        yield
    finally:
        await mesh.cp.delete(document)


async def test_tcp_reaches_every_instance(mesh: Mesh) -> None:
    async def answers() -> Counter[str]:
        return Counter([await echo(mesh.port("db"), "x") for _ in range(10)])

    await until(answers, lambda counts: set(counts) == {"v1 x", "v2 x"})


async def test_tags_of_an_outbound_narrow_the_service_down(mesh: Mesh) -> None:
    answers = [await echo(mesh.port("db-v2"), "x") for _ in range(10)]

    assert set(answers) == {"v2 x"}


async def test_tcp_of_a_denied_client_is_closed_without_an_answer(mesh: Mesh) -> None:
    async def answers() -> set[str]:
        return {await echo(mesh.port("db"), "x") for _ in range(6)}

    deny = {
        "targetRef": {"kind": "MeshSubset", "tags": {"kuma.io/service": "db"}},
        "from": [
            {
                "targetRef": {"kind": "MeshSubset", "tags": {"kuma.io/service": "client"}},
                "default": {"action": "Deny"},
            }
        ],
    }
    async with applied(mesh, "MeshTrafficPermission", deny):
        await until(answers, lambda seen: seen == {""})
        assert await mesh.calls.hello("you") == "hello you"  # other services are as before
    await until(answers, lambda seen: "" not in seen)


async def test_plain_tcp_past_the_client_sidecar_is_refused(mesh: Mesh) -> None:
    answer = await echo(mesh.server.inbounds["db"], "long enough to be no TLS")

    assert "v1" not in answer  # at most an alert of TLS


async def test_http2_goes_through_as_http2(mesh: Mesh) -> None:
    async with httpx.AsyncClient(http1=False, http2=True) as client:
        answer = await client.get(mesh.client.url("web2", "/path?q=1"))

    assert (answer.http_version, answer.json()["path"]) == ("HTTP/2", "/path?q=1")
    assert "spiffe://default/client" in answer.json()["headers"]["x-forwarded-client-cert"]


async def test_http1_clients_reach_an_http2_service(mesh: Mesh) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.get(mesh.client.url("web2"))

    assert (answer.http_version, answer.json()["backend"]) == ("HTTP/1.1", "web2")


async def test_grpc_calls_one_answer(mesh: Mesh) -> None:
    assert await mesh.calls.hello("you") == "hello you"
    assert "spiffe://default/client" in mesh.greeter.metadata["x-forwarded-client-cert"]


async def test_grpc_streams_from_the_server(mesh: Mesh) -> None:
    assert [each async for each in mesh.calls.count("100")] == [str(n) for n in range(100)]


async def test_grpc_streams_both_ways_message_by_message(mesh: Mesh) -> None:
    call = mesh.calls.chat()
    answers = []
    for name in ("a", "b", "c"):  # each answer is awaited before the next message is sent
        await call.write(name)
        answers.append(await call.read())
    await call.done_writing()

    assert answers == ["hello a", "hello b", "hello c"]
    assert await call.read() is grpc.aio.EOF


async def test_grpc_status_reaches_the_client(mesh: Mesh) -> None:
    mesh.greeter.fails = lambda _: grpc.StatusCode.FAILED_PRECONDITION
    try:
        assert await mesh.calls.hello("you") is grpc.StatusCode.FAILED_PRECONDITION
    finally:
        mesh.greeter.fails = lambda _: None


async def test_envoy_counts_grpc_calls_by_status(mesh: Mesh) -> None:
    await mesh.calls.hello("you")

    for dataplane in ("client", "server"):
        counted = await mesh.cp.stats(dataplane, ".grpc.")
        success = [name for name in counted if name.endswith(".success") and counted[name]]
        assert success, f"{dataplane}: {counted}"


async def test_tls_of_the_workload_goes_through_untouched(mesh: Mesh) -> None:
    context = ssl.create_default_context(cafile=str(mesh.authority.ca_file))

    assert await echo(mesh.port("vault"), "x", tls=context, host="localhost") == "vault x"


async def test_an_external_service_gets_plaintext(mesh: Mesh) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.get(mesh.client.url("plain-outside", "/path"))

    assert (answer.json()["backend"], answer.json()["path"]) == ("outside", "/path")


async def test_an_external_service_gets_tls_if_its_certificate_is_trusted(mesh: Mesh) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.get(mesh.client.url("tls-outside"))

    assert answer.json()["backend"] == "outside-tls"


@pytest.mark.parametrize(
    ("service", "reason"),
    [("untrusted-outside", "fail_verify_error"), ("misnamed-outside", "fail_verify_san")],
)
async def test_an_external_service_that_cannot_prove_itself_gets_nothing(
    mesh: Mesh, service: str, reason: str
) -> None:
    before = len(mesh.outside_tls.requests)
    async with httpx.AsyncClient() as client:
        answer = await client.get(mesh.client.url(service))

    assert answer.status_code == 503
    assert len(mesh.outside_tls.requests) == before
    counted = await mesh.cp.stats("client", f"{service}.ssl.{reason}")
    assert sum(counted.values()) > 0
