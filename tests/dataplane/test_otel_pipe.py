"""OTLP on its way through kuma-dp: taken at a socket, held, tried again, given up."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from kuma.dataplane.log import Level, Log
from kuma.dataplane.otel.backend import Backend
from kuma.dataplane.otel.forward import MOST_HELD, Forwarder
from kuma.dataplane.otel.merge import Target, Unavailable
from kuma.dataplane.otel.send import METHODS
from kuma.plan.signal import Signal
from tests.dataplane.control_plane import write_certificate
from tests.support.collectors import a_collector, an_http_collector
from tests.support.mesh import HOST, until
from tests.support.processes import free_ports

LOGS = METHODS[Signal.LOGS]


def a_log(lines: list[str] | None = None) -> Log:
    return Log("test", Level.INFO, (lines if lines is not None else []).append)


def records(*names: str) -> bytes:
    request = ExportLogsServiceRequest()
    for name in names:
        request.resource_logs.add().schema_url = name
    return request.SerializeToString()


def names_of(*told: ExportLogsServiceRequest | bytes) -> list[str]:
    found = [
        ExportLogsServiceRequest.FromString(each) if isinstance(each, bytes) else each
        for each in told
    ]
    return [each.schema_url for request in found for each in request.resource_logs]


@asynccontextmanager
async def a_forwarder(target: Target, lines: list[str] | None = None) -> AsyncIterator[Forwarder]:
    made = Forwarder(target, Signal.LOGS, "main", a_log(lines), ca_file="")
    try:
        yield made
    finally:
        await made.close(5)


async def seen(ask: Callable[[], Any], wanted: Any) -> None:
    await until(lambda: asyncio.sleep(0.01, ask()), lambda found: found == wanted)


async def test_messages_go_over_grpc_with_headers() -> None:
    async with a_collector() as collector:
        target = Target(f"{HOST}:{collector.port}", headers={"X-Team": "core"}, is_compressed=True)
        async with a_forwarder(target) as forwarder:
            assert forwarder.offer(records("a", "b"))
            await seen(lambda: names_of(*collector.logs), ["a", "b"])
    assert collector.metadata[0]["x-team"] == "core"


async def test_messages_go_over_http_with_headers() -> None:
    async with an_http_collector() as collector:
        at = f"{HOST}:{collector.port}"
        target = Target(at, "/otlp/v1/logs", headers={"X-Team": "core"}, is_compressed=True)
        async with a_forwarder(target) as forwarder:
            assert forwarder.offer(records("a"))
            await seen(lambda: len(collector.reports), 1)
    [(path, body)], [headers] = collector.reports, collector.headers
    assert (path, names_of(body)) == ("/otlp/v1/logs", ["a"])
    assert headers["x-team"] == "core"
    assert headers["content-type"] == "application/x-protobuf"


async def test_what_is_refused_for_now_is_tried_again_and_what_waits_goes_as_one() -> None:
    lines: list[str] = []
    async with a_collector() as collector:
        collector.refusals += [grpc.StatusCode.UNAVAILABLE] * 2
        async with a_forwarder(Target(f"{HOST}:{collector.port}"), lines) as forwarder:
            for name in "abc":
                forwarder.offer(records(name))
            await seen(lambda: names_of(*collector.logs), ["a", "b", "c"])
    assert len(collector.logs) == 1
    assert "a collector cannot be sent to" in lines[0]
    assert "UNAVAILABLE" in lines[0]
    assert "a collector is sent to again" in lines[1]


async def test_the_same_over_http() -> None:
    async with an_http_collector() as collector:
        collector.refusals += [503, 429]
        target = Target(f"{HOST}:{collector.port}", "/v1/logs")
        async with a_forwarder(target) as forwarder:
            forwarder.offer(records("a"))
            await seen(lambda: [names_of(body) for _, body in collector.reports], [["a"]])


async def test_what_is_refused_for_good_is_dropped_and_told() -> None:
    lines: list[str] = []
    async with a_collector() as collector:
        collector.refusals.append(grpc.StatusCode.INVALID_ARGUMENT)
        async with a_forwarder(Target(f"{HOST}:{collector.port}"), lines) as forwarder:
            forwarder.offer(records("bad"))
            await seen(lambda: collector.refusals, [])
            forwarder.offer(records("good"))
            await seen(lambda: names_of(*collector.logs), ["good"])
    assert "a collector does not take what it is sent" in lines[0]


async def test_a_collector_that_is_not_there_gets_what_happened_meanwhile() -> None:
    [port] = free_ports(1)
    async with a_forwarder(Target(f"{HOST}:{port}")) as forwarder:
        forwarder.offer(records("early"))
        async with a_collector(port) as collector:
            await seen(lambda: names_of(*collector.logs), ["early"])


async def test_no_more_is_held_than_there_is_room_for_and_that_is_told() -> None:
    lines: list[str] = []
    [port] = free_ports(1)
    async with a_forwarder(Target(f"{HOST}:{port}"), lines) as forwarder:
        assert forwarder.offer(b"\0" * MOST_HELD)
        assert not forwarder.offer(b"\0")
    assert any("too much waits" in line for line in lines)


async def test_what_is_held_is_sent_at_the_end() -> None:
    async with a_collector() as collector:
        forwarder = Forwarder(
            Target(f"{HOST}:{collector.port}"), Signal.LOGS, "main", a_log(), ca_file=""
        )
        forwarder.offer(records("last"))
        await forwarder.close(5)
    assert names_of(*collector.logs) == ["last"]


async def test_an_end_does_not_wait_for_a_collector_that_is_not_there() -> None:
    [port] = free_ports(1)
    forwarder = Forwarder(Target(f"{HOST}:{port}"), Signal.LOGS, "main", a_log(), ca_file="")
    forwarder.offer(records("last"))
    async with asyncio.timeout(30):
        await forwarder.close(60)


async def test_what_waits_goes_where_the_collector_has_moved_to() -> None:
    [nowhere] = free_ports(1)
    async with a_collector() as collector, a_forwarder(Target(f"{HOST}:{nowhere}")) as forwarder:
        forwarder.offer(records("moved"))
        await forwarder.move(Target(f"{HOST}:{collector.port}"))
        await seen(lambda: names_of(*collector.logs), ["moved"])


async def test_over_tls_both_sides_show_who_they_are(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("server", "client")}
    for folder in files.values():
        folder.mkdir()
    server, client = (write_certificate(folder) for folder in files.values())
    key, chain = server.with_suffix(".key").read_bytes(), server.read_bytes()
    credentials = grpc.ssl_server_credentials(
        [(key, chain)], client.read_bytes(), require_client_auth=True
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(client))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(server, server.with_suffix(".key"))
    async with (
        a_collector(credentials=credentials) as over_grpc,
        an_http_collector(tls=context) as over_http,
    ):
        shown = {
            "is_secure": True,
            "certificate": str(server),
            "client_certificate": str(client),
            "client_key": str(client.with_suffix(".key")),
        }
        grpc_target = replace(Target(f"{HOST}:{over_grpc.port}"), **shown)
        http_target = replace(Target(f"{HOST}:{over_http.port}", "/v1/logs"), **shown)
        async with a_forwarder(grpc_target) as one, a_forwarder(http_target) as other:
            one.offer(records("a"))
            other.offer(records("b"))
            await seen(lambda: names_of(*over_grpc.logs), ["a"])
            await seen(lambda: [names_of(body) for _, body in over_http.reports], [["b"]])


@pytest.mark.parametrize("path", ["", "/v1/logs"])
async def test_nobody_is_trusted_whom_the_ca_does_not_vouch_for(tmp_path: Path, path: str) -> None:
    lines: list[str] = []
    certificate = write_certificate(tmp_path)
    key = certificate.with_suffix(".key")
    credentials = grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    async with (
        a_collector(credentials=credentials) as over_grpc,
        an_http_collector(tls=context) as over_http,
    ):
        port = over_http.port if path else over_grpc.port
        async with a_forwarder(Target(f"{HOST}:{port}", path, is_secure=True), lines) as forwarder:
            forwarder.offer(records("a"))
            await seen(lambda: len(lines), 1)
    assert "a collector cannot be sent to" in lines[0]
    assert not over_grpc.logs
    assert not over_http.reports


async def test_a_certificate_that_cannot_be_read_is_named() -> None:
    lines: list[str] = []
    target = Target(f"{HOST}:1", is_secure=True, certificate="/nowhere/ca.pem")
    async with a_forwarder(target, lines) as forwarder:
        forwarder.offer(records("a"))
        await seen(lambda: len(lines), 1)
    assert "/nowhere/ca.pem cannot be read" in lines[0]


@asynccontextmanager
async def a_backend(socket: Path) -> AsyncIterator[Backend]:
    backend = Backend("main", socket, a_log(), ca_file="")
    await backend.start()
    try:
        yield backend
    finally:
        await backend.close()


async def export(socket: Path, message: bytes, method: str = LOGS) -> None:
    async with grpc.aio.insecure_channel(f"unix:{socket}") as channel:
        await channel.unary_unary(method)(message)


async def test_the_socket_takes_what_has_somewhere_to_go_and_says_why_not(tmp_path: Path) -> None:
    socket = tmp_path / "otel.sock"
    async with a_collector() as collector, a_backend(socket) as backend:
        assert socket.stat().st_mode & 0o777 == 0o600
        await backend.follow(
            {
                Signal.LOGS: Target(f"{HOST}:{collector.port}"),
                Signal.TRACES: Unavailable("blocked: RequiredEnvMissing"),
            }
        )
        await export(socket, records("a"))
        await seen(lambda: names_of(*collector.logs), ["a"])
        with pytest.raises(grpc.aio.AioRpcError) as blocked:
            await export(socket, b"", METHODS[Signal.TRACES])
        assert blocked.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert "blocked: RequiredEnvMissing" in (blocked.value.details() or "")
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await export(socket, b"", "/some.Service/Else")
        assert unknown.value.code() is grpc.StatusCode.UNIMPLEMENTED
        await backend.follow({Signal.LOGS: Unavailable("the signal is not enabled")})
        with pytest.raises(grpc.aio.AioRpcError):
            await export(socket, records("b"))
    assert not socket.exists()
    assert names_of(*collector.logs) == ["a"]


async def test_a_socket_that_was_left_there_is_in_nobodys_way(tmp_path: Path) -> None:
    socket = tmp_path / "otel.sock"
    socket.touch()
    async with a_backend(socket) as backend:
        await backend.follow({})
        with pytest.raises(grpc.aio.AioRpcError):
            await export(socket, b"")
