"""The API on real sockets: HTTP, HTTPS, certificates of clients, deadlines, shutdown."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp
from structlog.testing import capture_logs

from kuma.api.caller import ADMIN, ANONYMOUS
from kuma.api.connection import Deadlines
from kuma.api.edge import Failsafe
from kuma.api.serve import ApiServer, Listener
from kuma.config.errors import BadConfig
from kuma.config.servers import HttpsServer
from kuma.identity.server_tls import server_context
from tests.api.certificates import Authority, Pair
from tests.api.control_plane import a_control_plane
from tests.support.builders import a_mesh

SETTING = "apiServer.http.port"
PLAIN = Listener("127.0.0.1", 0, SETTING)
BY_CERTIFICATE = {"apiServer": {"authn": {"type": "adminClientCerts", "localhostIsAdmin": False}}}


@asynccontextmanager
async def serving(
    app: ASGIApp, *listeners: Listener, deadlines: Deadlines | None = None
) -> AsyncIterator[Sequence[int]]:
    """The ports."""
    server = ApiServer(app, listeners or (PLAIN,), deadlines=deadlines)
    await server.start()
    try:
        yield server.ports
    finally:
        await server.stop()


def _https(pair: Pair, ca_file: Path | None = None, *, required: bool = False) -> Listener:
    tls = HttpsServer(tls_cert_file=str(pair.cert_file), tls_key_file=str(pair.key_file))
    context = server_context(tls, client_ca_file=str(ca_file or ""), require_client_cert=required)
    return Listener("127.0.0.1", 0, "apiServer.https.port", context)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def _whoami(url: str, **options: object) -> str:
    async with httpx.AsyncClient(trust_env=False, **options) as client:  # type: ignore[arg-type]
        name: str = (await client.get(f"{url}/who-am-i")).json()["name"]
    return name


async def test_the_api_is_served_over_http_and_https(authority: Authority) -> None:
    https = _https(authority.issue("server"))
    async with a_control_plane() as control_plane:
        await control_plane.add(a_mesh())
        async with serving(control_plane.app, PLAIN, https) as (http_port, https_port):
            assert await _whoami(f"http://localhost:{http_port}") == ADMIN.name
            trusting = authority.client_context()
            assert await _whoami(f"https://localhost:{https_port}", verify=trusting) == ADMIN.name


async def test_a_forwarded_address_is_not_believed() -> None:
    async with a_control_plane() as control_plane, serving(control_plane.app) as (port,):
        forwarded = {"x-forwarded-for": "127.0.0.1"}
        found = await _whoami(f"http://localhost:{port}", headers=forwarded)
        assert found == ANONYMOUS.name


async def test_a_client_certificate_makes_an_administrator(authority: Authority) -> None:
    https = _https(authority.issue("server"), authority.ca_file)
    shown = authority.client_context(authority.issue("client"))
    async with (
        a_control_plane(BY_CERTIFICATE) as control_plane,
        serving(control_plane.app, https, PLAIN) as (port, plain),
    ):
        url = f"https://localhost:{port}"
        assert await _whoami(url, verify=shown) == ADMIN.name
        assert await _whoami(url, verify=authority.client_context()) == ANONYMOUS.name
        assert await _whoami(f"http://localhost:{plain}") == ANONYMOUS.name


async def test_a_client_certificate_of_somebody_else_ends_the_handshake(
    authority: Authority, tmp_path: Path
) -> None:
    https = _https(authority.issue("server"), authority.ca_file)
    impostor = Authority(tmp_path, "impostor").issue("impostor")
    shown = authority.client_context(impostor)
    async with (
        a_control_plane(BY_CERTIFICATE) as control_plane,
        serving(control_plane.app, https) as (port,),
    ):
        with pytest.raises(httpx.TransportError):
            await _whoami(f"https://localhost:{port}", verify=shown)


async def test_a_client_certificate_can_be_required(authority: Authority) -> None:
    https = _https(authority.issue("server"), authority.ca_file, required=True)
    async with a_control_plane() as control_plane, serving(control_plane.app, https) as (port,):
        with pytest.raises(httpx.TransportError):
            await _whoami(f"https://localhost:{port}", verify=authority.client_context())


async def test_a_replaced_certificate_is_used_at_once(authority: Authority, tmp_path: Path) -> None:
    https = _https(authority.issue("before", label="server"))
    async with a_control_plane() as control_plane, serving(control_plane.app, https) as (port,):
        assert await _server_name(port, authority) == "before"
        authority.issue("after!", label="server")
        assert await _server_name(port, authority) == "after!"


async def _server_name(port: int, authority: Authority) -> str:
    context = authority.client_context()
    _, writer = await asyncio.open_connection("localhost", port, ssl=context)
    subject = writer.get_extra_info("peercert")["subject"]
    writer.close()
    await writer.wait_closed()
    name: str = subject[0][0][1]
    return name


async def test_a_port_in_use_is_told_with_its_setting() -> None:
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    port = taken.getsockname()[1]
    free = ApiServer(_echo(), [PLAIN, Listener("127.0.0.1", port, SETTING)])
    with pytest.raises(BadConfig) as raised:
        await free.start()
    taken.close()
    [problem] = raised.value.problems
    assert problem == (
        f"apiServer.http.port: port {port} is in use on 127.0.0.1, "
        "stop the other program or choose another port"
    )
    assert free.ports == ()


async def test_an_address_of_another_machine_is_told_with_its_setting() -> None:
    server = ApiServer(_echo(), [Listener("203.0.113.1", 0, SETTING)])
    with pytest.raises(BadConfig) as raised:
        await server.start()
    [problem] = raised.value.problems
    assert problem.startswith("apiServer.http.port: cannot listen on 203.0.113.1:0: ")


def _echo() -> Starlette:
    async def answer(request: Request) -> PlainTextResponse:
        return PlainTextResponse(await request.body() or b"nothing")

    return Starlette(routes=[Route("/", answer, methods=["GET", "PUT"])])


class Held:
    """An application whose requests wait until they are let go."""

    def __init__(self) -> None:
        self.entered, self.go = asyncio.Event(), asyncio.Event()
        self.app = Failsafe(Starlette(routes=[Route("/", self._answer)]))

    async def _answer(self, request: Request) -> PlainTextResponse:
        self.entered.set()
        await self.go.wait()
        return PlainTextResponse("done")


async def test_a_request_under_way_is_answered_before_the_end() -> None:
    held = Held()
    server = ApiServer(held.app, [PLAIN])
    await server.start()
    async with httpx.AsyncClient(trust_env=False) as client:
        under_way = asyncio.create_task(client.get(f"http://127.0.0.1:{server.ports[0]}/"))
        await held.entered.wait()
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0)
        held.go.set()
        assert (await under_way).text == "done"
        await stopping


async def test_a_request_that_never_ends_does_not_keep_the_server() -> None:
    held = Held()
    server = ApiServer(held.app, [PLAIN])
    await server.start()
    async with httpx.AsyncClient(trust_env=False) as client:
        under_way = asyncio.create_task(client.get(f"http://127.0.0.1:{server.ports[0]}/"))
        await held.entered.wait()
        await server.stop(grace=timedelta(milliseconds=10))
        answer = await under_way
    assert (answer.status_code, answer.json()["title"]) == (503, "Service unavailable")
    assert answer.json()["detail"] == "the control plane is shutting down"


async def test_idle_connections_are_closed_at_the_end() -> None:
    server = ApiServer(_echo(), [PLAIN])
    await server.start()
    async with httpx.AsyncClient(trust_env=False) as client:
        url = f"http://127.0.0.1:{server.ports[0]}/"
        assert (await client.get(url)).text == "nothing"
        await server.stop()
        with pytest.raises(httpx.TransportError):
            await client.get(url)


async def test_stopping_twice_is_stopping() -> None:
    server = ApiServer(_echo(), [PLAIN])
    await server.start()
    await server.stop()
    await server.stop()


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET / HTTP/1.1\r\nhost: a", b"PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nx"],
    ids=["nothing", "half the headers", "half the body"],
)
async def test_a_client_that_does_not_finish_is_cut_off(sent: bytes) -> None:
    short = timedelta(milliseconds=50)
    deadlines = Deadlines(headers=short, request=short)
    async with serving(_echo(), deadlines=deadlines) as (port,):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()


async def test_a_handshake_that_does_not_finish_is_cut_off(authority: Authority) -> None:
    deadlines = Deadlines(request=timedelta(milliseconds=50))
    https = _https(authority.issue("server"))
    async with serving(_echo(), https, deadlines=deadlines) as (port,):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()


async def test_several_requests_share_a_connection() -> None:
    async with serving(_echo()) as (port,), httpx.AsyncClient(trust_env=False) as client:
        for _ in range(3):
            answer = await client.get(f"http://127.0.0.1:{port}/")
            assert answer.text == "nothing"
            assert "date" in answer.headers


async def test_what_is_no_http_is_refused() -> None:
    async with serving(_echo()) as (port,):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        writer.close()


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(b"content-length: 100\r\n\r\n{", id="too short"),
        pytest.param(b"transfer-encoding: chunked\r\n\r\nzz\r\n", id="no chunk"),
    ],
)
async def test_who_goes_away_while_its_body_is_read_is_no_error(rest: bytes) -> None:
    async with a_control_plane() as control_plane, serving(control_plane.app) as (port,):
        with capture_logs() as logged:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            head = (
                b"PUT /meshes/m HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            )
            writer.write(head + rest)
            writer.write_eof()
            await reader.read()
            writer.close()
            await _whoami(f"http://localhost:{port}")
    assert [each for each in logged if each["log_level"] in {"warning", "error"}] == []
