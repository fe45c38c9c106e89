"""The whole server on a real socket: grpcio, httpx and raw TLS as clients."""

import asyncio
import re
import socket
import tracemalloc
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import grpc
import grpc.aio
import httpx
import pytest
import uvloop
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DiscoveryRequest
from envoy.service.health.v3.hds_pb2 import HealthCheckRequestOrEndpointHealthResponse
from envoy.service.health.v3.hds_pb2_grpc import HealthDiscoveryServiceStub

from kuma.envoy.snapshot import EnvoyResource, Snapshot
from kuma.identity.server_tls import ServerCertificate
from kuma.pipeline.delivery import ProxyRefused
from kuma.xds.http2 import frames
from kuma.xds.http2.frames import Kind, Setting
from kuma.xds.http2.headers import encode_headers
from kuma.xds.http2.limits import Http2Limits
from kuma.xds.link import Timeouts
from kuma.xds.rpc import MAX_MESSAGE
from kuma.xds.wire import field, text_field
from tests.support.hub import FakeConnection
from tests.xds.conftest import CREDENTIAL, Site, running_site
from tests.xds.test_http2 import split
from tests.xds.world import CLUSTER, ENDPOINT, ROUTE, a_resource, a_snapshot

AUTHORIZED = (("authorization", CREDENTIAL),)
ONE = a_snapshot(a_resource(CLUSTER, "one"))


def first(node_id: str = "default.web-1") -> DeltaDiscoveryRequest:
    return DeltaDiscoveryRequest(node={"id": node_id}, type_url=CLUSTER)


async def opened(site: Site, channel: grpc.aio.Channel, node_id: str = "default.web-1") -> Any:
    call = site.stub(channel).DeltaAggregatedResources(metadata=AUTHORIZED)
    await call.write(first(node_id))
    return call


async def connected(site: Site, number: int = 0) -> FakeConnection:
    await site.hub.until(lambda: len(site.hub.connections) > number)
    return site.hub.connections[number]


async def ending(call: Any) -> tuple[grpc.StatusCode, str]:
    """How a call ends."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call.read()
    return error.value.code(), error.value.details()


async def test_a_delta_client_gets_and_acknowledges(site: Site) -> None:
    site.hub.publish(ONE)
    async with site.channel() as channel:
        call = await opened(site, channel)
        answer = await call.read()
        assert [(each.name, each.version) for each in answer.resources] == [("one", "1")]
        assert answer.control_plane.identifier == "cp-1"
        await call.write(DeltaDiscoveryRequest(type_url=CLUSTER, response_nonce=answer.nonce))
        connection = await connected(site)
        await site.hub.until(lambda: connection.acknowledged_types == [CLUSTER])
        assert connection.sent_types == [CLUSTER]
        site.hub.publish(a_snapshot(a_resource(CLUSTER, "one", "2")))
        answer = await call.read()
        assert [each.version for each in answer.resources] == ["2"]
        reply = DeltaDiscoveryRequest(type_url=CLUSTER, response_nonce=answer.nonce)
        reply.error_detail.message = "not like this"
        await call.write(reply)
        await site.hub.until(lambda: connection.rejections == [(CLUSTER, "not like this")])
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        assert await call.code() == grpc.StatusCode.OK
        await site.hub.until(lambda: connection.is_closed)
    samples = [each for family in site.server.traffic.collect() for each in family.samples]
    assert [(each.name, *each.labels.values(), each.value) for each in samples] == [
        ("xds_streams_active", 0),
        ("xds_requests_received_total", "ACK", 1),
        ("xds_requests_received_total", "NACK", 1),
        ("xds_responses_sent_total", 2),
        ("xds_stream_failures_total", 0),
    ]


async def test_a_client_of_the_state_of_the_world_gets_and_acknowledges(site: Site) -> None:
    site.hub.publish(ONE)
    async with site.channel() as channel:
        call = site.stub(channel).StreamAggregatedResources(metadata=AUTHORIZED)
        await call.write(DiscoveryRequest(node={"id": "default.web-1"}, type_url=CLUSTER))
        answer = await call.read()
        assert len(answer.resources) == 1
        assert answer.control_plane.identifier == "cp-1"
        await call.write(
            DiscoveryRequest(
                type_url=CLUSTER, response_nonce=answer.nonce, version_info=answer.version_info
            )
        )
        connection = await connected(site)
        await site.hub.until(lambda: connection.acknowledged_types == [CLUSTER])
        call.cancel()
        await site.hub.until(lambda: connection.is_closed)


async def test_a_large_answer_passes_through_the_client_s_windows(site: Site) -> None:
    big = EnvoyResource(CLUSTER, "big", "1", b"x" * 3_000_000)
    site.hub.publish(Snapshot({CLUSTER: {"big": big}}))
    async with site.channel() as channel:
        call = await opened(site, channel)
        answer = await call.read()
        assert answer.resources[0].resource.value == big.body


async def test_a_hundred_proxies_all_get_the_change(site: Site) -> None:
    site.hub.publish(ONE)

    async def proxy(number: int) -> list[str]:
        async with site.channel() as channel:
            call = await opened(site, channel, f"default.web-{number}")
            answer = await call.read()
            versions = [answer.resources[0].version]
            await call.write(DeltaDiscoveryRequest(type_url=CLUSTER, response_nonce=answer.nonce))
            versions.append((await call.read()).resources[0].version)
            return versions

    proxies = [asyncio.create_task(proxy(number)) for number in range(100)]
    await site.hub.until(
        lambda: sum(len(each.acknowledged_types) for each in site.hub.connections) == 100
    )
    site.hub.publish(a_snapshot(a_resource(CLUSTER, "one", "2")))
    assert await asyncio.gather(*proxies) == [["1", "2"]] * 100


# Refusals


async def test_a_wrong_credential_is_told_so(site: Site) -> None:
    async with site.channel() as channel:
        call = site.stub(channel).DeltaAggregatedResources(
            metadata=(("authorization", "Bearer wrong"),)
        )
        await call.write(first())
        assert await ending(call) == (
            grpc.StatusCode.UNAUTHENTICATED,
            "the dataplane token is not valid: 100% wrong",
        )
    assert site.hub.connections == []


async def test_a_request_without_a_node_is_refused(site: Site) -> None:
    async with site.channel() as channel:
        call = await opened(site, channel, "")
        code, details = await ending(call)
        assert code == grpc.StatusCode.INVALID_ARGUMENT
        assert "<mesh>.<name>" in details


async def test_a_proxy_that_loses_its_right_is_sent_away(site: Site) -> None:
    async with site.channel() as channel:
        call = await opened(site, channel)
        connection = await connected(site)
        connection.refuse(ProxyRefused("permission_denied", "the token was revoked – really"))
        code, details = await ending(call)
        assert (code, details) == (
            grpc.StatusCode.PERMISSION_DENIED,
            "the token was revoked – really",
        )
        assert connection.is_closed


async def test_a_message_that_is_no_request_is_refused(site: Site) -> None:
    async with site.channel() as channel:
        method = channel.stream_stream(
            "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
        )
        call = method(metadata=AUTHORIZED)
        await call.write(b"\xff\xff\xff")
        code, _ = await ending(call)
        assert code == grpc.StatusCode.INVALID_ARGUMENT


async def test_a_message_too_large_is_refused(site: Site) -> None:
    async with site.channel() as channel:
        call = await opened(site, channel)
        await connected(site)
        names = ["x" * 1_000_000] * (MAX_MESSAGE // 1_000_000 + 1)
        await call.write(DeltaDiscoveryRequest(resource_names_subscribe=names))
        code, details = await ending(call)
        assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "larger than the limit of 4194304" in details
        await site.hub.until(lambda: site.hub.connections[0].is_closed)


async def test_an_unknown_method_is_unimplemented(site: Site) -> None:
    async with site.channel() as channel:
        call = channel.unary_unary("/no.such.Service/Method")
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call(b"")
        assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED
        assert error.value.details() == "there is no method /no.such.Service/Method"


async def test_compression_is_refused(site: Site) -> None:
    async with site.channel() as channel:
        call = site.stub(channel).DeltaAggregatedResources(
            metadata=AUTHORIZED, compression=grpc.Compression.Gzip
        )
        code, details = await ending(call)
        assert (code, details) == (
            grpc.StatusCode.UNIMPLEMENTED,
            "encoding gzip is not supported",
        )


async def test_a_compressed_message_is_refused(site: Site) -> None:
    writer, answers = await http2_client(site)
    writer.write(frames.frame(Kind.DATA, 0, 1, b"\1\0\0\0\1x"))
    status = await answers.until(Kind.HEADERS)
    assert b"compressed messages are not supported" in status
    writer.close()


async def test_a_stream_that_ends_within_a_message_fails(site: Site) -> None:
    writer, answers = await http2_client(site)
    writer.write(frames.frame(Kind.DATA, 1, 1, b"\0\0\0\0\5x"))
    assert b"the stream ended within a message" in await answers.until(Kind.HEADERS)
    writer.close()


async def test_health_discovery_is_accepted_and_asks_for_nothing(site: Site) -> None:
    async with site.channel() as channel:
        call = HealthDiscoveryServiceStub(channel).StreamHealthCheck(metadata=AUTHORIZED)
        await call.write(HealthCheckRequestOrEndpointHealthResponse())
        await call.initial_metadata()
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        assert await call.code() == grpc.StatusCode.OK


async def test_a_defect_of_ours_ends_the_stream_and_is_counted(site: Site) -> None:
    site.hub.defect = RuntimeError("a defect")
    async with site.channel() as channel:
        call = await opened(site, channel)
        assert await ending(call) == (
            grpc.StatusCode.INTERNAL,
            "a proxy could not be connected",
        )
    assert site.server.traffic.failures == 1


async def test_only_so_many_requests_wait_for_the_hub(site: Site) -> None:
    site.hub.decides.clear()
    writer, answers = await http2_client(site)
    writer.write(grpc_message(first().SerializeToString()) * 65)
    assert b"too many requests before the first answer" in await answers.until(Kind.HEADERS)
    site.hub.decides.set()
    connection = await connected(site)
    await site.hub.until(lambda: connection.is_closed)
    writer.close()


async def test_requests_that_waited_are_answered_in_order(site: Site) -> None:
    site.hub.decides.clear()
    site.hub.publish(a_snapshot(a_resource(CLUSTER, "a"), a_resource(ENDPOINT, "a")))
    async with site.channel() as channel:
        call = await opened(site, channel)
        await call.write(DeltaDiscoveryRequest(type_url=ENDPOINT, resource_names_subscribe=["a"]))
        site.hub.decides.set()
        assert [(await call.read()).type_url for _ in range(2)] == [CLUSTER, ENDPOINT]


async def test_what_a_proxy_knows_costs_as_little_as_its_bytes_until_it_is_answered(
    site: Site,
) -> None:
    """After a restart a thousand proxies come back at once, each with what it knows."""
    known = {f"cluster-{number}": f"{number:016x}" for number in range(3_000)}
    request = first()
    request.initial_resource_versions.update(known)
    size = request.ByteSize()
    async with site.channel() as channel:
        call = site.stub(channel).DeltaAggregatedResources(metadata=AUTHORIZED)
        tracemalloc.start()
        await call.write(request)
        await connected(site)
        await asyncio.sleep(0)
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert size > 100_000
        assert held < 5 * size
        site.hub.publish(a_snapshot(a_resource(CLUSTER, "cluster-1", f"{1:016x}")))
        assert len((await call.read()).removed_resources) == len(known) - 1


async def test_a_route_waits_for_a_cluster_that_never_warms_only_so_long(
    certificate: ServerCertificate,
) -> None:
    async with running_site(certificate, timeouts=Timeouts(patience=0.1)) as site:
        site.hub.publish(a_snapshot(a_resource(CLUSTER, "a"), a_resource(ROUTE, "r")))
        async with site.channel() as channel:
            call = await opened(site, channel)
            await call.write(DeltaDiscoveryRequest(type_url=ROUTE, resource_names_subscribe=["r"]))
            for _ in range(2):
                answer = await call.read()
                await call.write(
                    DeltaDiscoveryRequest(type_url=answer.type_url, response_nonce=answer.nonce)
                )
            connection = await connected(site)
            await site.hub.until(lambda: len(connection.acknowledged_types) == 2)
            site.hub.publish(
                a_snapshot(
                    a_resource(CLUSTER, "a"), a_resource(CLUSTER, "b"), a_resource(ROUTE, "r", "2")
                )
            )
            assert [(await call.read()).type_url for _ in range(2)] == [CLUSTER, ROUTE]
            assert connection.acknowledged_types == [CLUSTER, ROUTE]


# Bootstrap


@pytest.mark.parametrize("http2", [False, True], ids=["http/1.1", "http/2"])
async def test_a_bootstrap_is_answered(site: Site, http2: bool) -> None:
    if http2:
        status, body = await post_over_http2(site, b"hello")
    else:
        async with httpx.AsyncClient(verify=site.client_context()) as client:
            response = await client.post(url(site), content=b"hello", headers={"X-One": "1"})
            assert response.headers["content-type"] == "application/json"
            status, body = response.status_code, response.content
    assert (status, body) == (200, b'{"echo": "hello"}')
    [(sent, headers)] = site.bootstraps
    assert sent == b"hello"
    assert headers["host"] == f"localhost:{site.server.port}"


def url(site: Site, path: str = "/bootstrap") -> str:
    return f"https://localhost:{site.server.port}{path}"


async def test_a_client_without_alpn_may_speak_either(site: Site) -> None:
    reader, writer = await site.connect()
    writer.write(b"POST /bootstrap HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()
    reader, writer = await site.connect()
    for byte in frames.PREFACE + frames.settings({}):
        writer.write(bytes((byte,)))
        await writer.drain()
    head = await reader.readexactly(9)
    assert head[3] == Kind.SETTINGS
    writer.close()


async def test_other_paths_methods_and_defects_have_their_statuses(site: Site) -> None:
    async with httpx.AsyncClient(verify=site.client_context()) as client:
        assert (await client.get(url(site, "/"))).status_code == 404
        assert (await client.get(url(site))).status_code == 405
        assert (await client.post(url(site), content=b"broken")).status_code == 500
        assert (await client.post(url(site), content=b"hello")).status_code == 200


# The connection


class Answers:
    """Frames as they come."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    async def next(self) -> tuple[int, bytes]:
        head = await self._reader.readexactly(9)
        payload = await self._reader.readexactly(int.from_bytes(head[:3]))
        [(kind, *_)] = split(head[:9] + payload)
        return kind, payload

    async def until(self, wanted: int) -> bytes:
        async with asyncio.timeout(30):
            while True:
                kind, payload = await self.next()
                if kind == wanted:
                    return payload


async def http2_client(
    site: Site, settings: dict[Setting, int] | None = None
) -> tuple[asyncio.StreamWriter, Answers]:
    """A raw client with an ADS call open on stream 1."""
    reader, writer = await site.connect("h2")
    block = encode_headers(
        [
            (":method", "POST"),
            (":scheme", "https"),
            (
                ":path",
                "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
            ),
            ("content-type", "application/grpc"),
            ("authorization", CREDENTIAL),
        ]
    )
    writer.write(
        frames.PREFACE + frames.settings(settings or {}) + frames.frame(Kind.HEADERS, 4, 1, block)
    )
    return writer, Answers(reader)


def grpc_message(content: bytes) -> bytes:
    return frames.frame(Kind.DATA, 0, 1, b"\0" + len(content).to_bytes(4) + content)


async def post_over_http2(site: Site, body: bytes) -> tuple[int, bytes]:
    reader, writer = await site.connect("h2")
    block = encode_headers(
        [
            (":method", "POST"),
            (":scheme", "https"),
            (":path", "/bootstrap"),
            (":authority", f"localhost:{site.server.port}"),
        ]
    )
    writer.write(
        frames.PREFACE
        + frames.settings({})
        + frames.frame(Kind.HEADERS, 4, 1, block)
        + frames.frame(Kind.DATA, 1, 1, body)
    )
    answers = Answers(reader)
    head = await answers.until(Kind.HEADERS)
    content = await answers.until(Kind.DATA)
    writer.close()
    status = re.search(rb":status\x03(\d+)", head)
    assert status is not None
    return int(status[1]), content


async def test_a_proxy_that_reads_nothing_delays_nobody_and_costs_one_answer(site: Site) -> None:
    """Its window holds 10 bytes; a hundred changes pass by, and it ends on the newest."""
    site.hub.publish(ONE)
    writer, answers = await http2_client(site, {Setting.INITIAL_WINDOW_SIZE: 10})
    writer.write(grpc_message(first().SerializeToString()))
    connection = await connected(site)
    await site.hub.until(lambda: connection.sent_types == [CLUSTER])
    for number in range(2, 102):
        site.hub.publish(a_snapshot(a_resource(CLUSTER, "one", str(number))))
    async with site.channel() as channel:
        call = await opened(site, channel, "default.other")
        assert (await call.read()).resources[0].version == "101"
    assert connection.sent_types == [CLUSTER]
    writer.write(frames.window_update(1, 100_000))
    received = b""
    while len(received) < 5 or len(received) < 5 + int.from_bytes(received[1:5]):
        received += await answers.until(Kind.DATA)
    nonce = text_field(6, "1")
    writer.write(grpc_message(text_field(2, CLUSTER) + nonce))
    assert b'"101"' in await answers.until(Kind.DATA)
    writer.close()


async def test_a_silent_proxy_is_asked_and_then_dropped(certificate: ServerCertificate) -> None:
    async with running_site(certificate, timeouts=Timeouts(quiet=0.05, answer=0.1)) as site:
        writer, answers = await http2_client(site)
        writer.write(grpc_message(first().SerializeToString()))
        connection = await connected(site)
        ping = await answers.until(Kind.PING)
        writer.write(frames.frame(Kind.PING, 1, 0, ping))
        assert await answers.until(Kind.PING)
        assert not connection.is_closed
        await site.hub.until(lambda: connection.is_closed)
        writer.close()


async def test_a_connection_without_streams_is_sent_away(certificate: ServerCertificate) -> None:
    async with running_site(certificate, timeouts=Timeouts(quiet=0.05, idle=0.1)) as site:
        reader, writer = await site.connect("h2")
        writer.write(frames.PREFACE + frames.settings({}))
        await Answers(reader).until(Kind.GOAWAY)
        writer.close()


async def test_a_client_that_asks_for_nothing_is_dropped(certificate: ServerCertificate) -> None:
    async with running_site(certificate, timeouts=Timeouts(request=0.1)) as site:
        reader, writer = await site.connect()
        writer.write(b"POST /boot")
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await reader.readexactly(1)
        writer.close()


async def test_a_flood_ends_the_connection_and_no_other(certificate: ServerCertificate) -> None:
    async with running_site(certificate, limits=Http2Limits(strain=50)) as site:
        writer, answers = await http2_client(site)
        writer.write(frames.frame(Kind.PING, 0, 0, b"12345678") * 60)
        assert b"too many control frames" in await answers.until(Kind.GOAWAY)
        async with httpx.AsyncClient(verify=site.client_context()) as client:
            assert (await client.post(url(site), content=b"x")).status_code == 200


async def test_what_is_not_tls_is_dropped(site: Site) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.server.port)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await reader.readexactly(1_000)
    writer.close()
    async with httpx.AsyncClient(verify=site.client_context()) as client:
        assert (await client.post(url(site), content=b"x")).status_code == 200


async def test_a_proxy_that_vanishes_is_noticed(site: Site) -> None:
    writer, _ = await http2_client(site)
    writer.write(grpc_message(first().SerializeToString()))
    connection = await connected(site)
    writer.transport.abort()
    await site.hub.until(lambda: connection.is_closed)


async def test_stopping_sends_proxies_away_and_lets_bootstraps_finish(site: Site) -> None:
    async with httpx.AsyncClient(verify=site.client_context()) as client, site.channel() as channel:
        call = await opened(site, channel)
        connection = await connected(site)
        slow = asyncio.create_task(client.post(url(site), content=b"slow"))
        await site.hub.until(lambda: bool(site.bootstraps))
        stopping = asyncio.create_task(site.server.drain_and_stop(timedelta(seconds=10)))
        assert await ending(call) == (
            grpc.StatusCode.UNAVAILABLE,
            "the control plane is shutting down",
        )
        assert connection.is_closed
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            await site.connect()
        site.bootstrap_may_end.set()
        assert (await slow).status_code == 200
        await stopping
    assert site.server.connections == 0


async def test_stopping_ends_within_its_time(site: Site) -> None:
    """A bootstrap that never ends and a peer that never reads hold it up no longer."""
    writer, _ = await http2_client(site)
    writer.write(grpc_message(first().SerializeToString()))
    await connected(site)
    async with httpx.AsyncClient(verify=site.client_context()) as client:
        slow = asyncio.create_task(client.post(url(site), content=b"slow"))
        await site.hub.until(lambda: bool(site.bootstraps))
        async with asyncio.timeout(30):
            await site.server.drain_and_stop(timedelta(seconds=0.2))
        with pytest.raises(httpx.HTTPError):
            await slow
    site.bootstrap_may_end.set()
    writer.close()


async def test_stopping_twice_or_without_a_start_does_nothing(
    certificate: ServerCertificate,
) -> None:
    async with running_site(certificate) as site:
        await site.server.drain_and_stop(timedelta(seconds=1))
    await running_site(certificate)._site.server.drain_and_stop(timedelta(seconds=1))


async def test_a_port_that_is_taken_is_an_error(site: Site, certificate: ServerCertificate) -> None:
    other = running_site(certificate)._site.server
    other.port = site.server.port
    with pytest.raises(OSError, match="in use"):
        await other.start()


async def test_endpoints_go_to_those_who_asked_for_them(site: Site) -> None:
    site.hub.publish(a_snapshot(a_resource(ENDPOINT, "a"), a_resource(ENDPOINT, "b")))
    async with site.channel() as channel:
        call = site.stub(channel).DeltaAggregatedResources(metadata=AUTHORIZED)
        request = first()
        request.type_url = ENDPOINT
        request.resource_names_subscribe.append("b")
        await call.write(request)
        assert [each.name for each in (await call.read()).resources] == ["b"]


def test_the_first_request_may_be_written_by_hand() -> None:
    """What the raw clients here write is what protobuf would."""
    made = field(1, text_field(1, "default.web-1")) + text_field(2, CLUSTER)
    assert DeltaDiscoveryRequest.FromString(made) == first()


async def test_the_listener_takes_ipv6(certificate: ServerCertificate) -> None:
    site = running_site(certificate)
    site._site.server._host = "::1"
    try:
        async with site as made:
            probe = socket.create_connection(("::1", made.server.port))
            probe.close()
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")


ON_UVLOOP = [
    test_a_delta_client_gets_and_acknowledges,
    test_a_large_answer_passes_through_the_client_s_windows,
    test_a_hundred_proxies_all_get_the_change,
    test_a_client_without_alpn_may_speak_either,
    test_a_proxy_that_reads_nothing_delays_nobody_and_costs_one_answer,
    test_a_proxy_that_vanishes_is_noticed,
    test_what_is_not_tls_is_dropped,
    test_stopping_sends_proxies_away_and_lets_bootstraps_finish,
    test_stopping_ends_within_its_time,
]


@pytest.mark.parametrize("claim", ON_UVLOOP, ids=lambda claim: claim.__name__)
def test_it_holds_on_the_loop_that_the_control_plane_runs_on(
    claim: Callable[[Site], Awaitable[None]], certificate: ServerCertificate
) -> None:
    async def hold() -> None:
        async with running_site(certificate) as site:
            await claim(site)

    uvloop.run(hold())
