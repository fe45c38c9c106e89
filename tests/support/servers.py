"""Workloads of tests that do not speak HTTP/1: an echo over TCP, HTTP/2 without TLS, gRPC.

async with an_echo_server("v1") as port: ...
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any

import grpc
import grpc.aio
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, Event, RequestReceived, StreamEnded

HOST = "127.0.0.1"
_PATIENCE = 10.0


@asynccontextmanager
async def an_echo_server(name: str, *, tls: SSLContext | None = None) -> AsyncIterator[int]:
    """Answers each line with its name and the line. The port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(f"{name} ".encode() + line)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, HOST, 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def echo(port: int, line: str, *, tls: SSLContext | None = None, host: str = "") -> str:
    """The answer of an echo server to one line on a new connection; empty if it is closed instead.
    `host` is the name that TLS asks for."""
    reader, writer = await asyncio.open_connection(
        HOST, port, ssl=tls, server_hostname=host or None
    )
    try:
        writer.write(f"{line}\n".encode())
        async with asyncio.timeout(_PATIENCE):
            return (await reader.readline()).decode(errors="replace").strip()
    except ConnectionError:
        return ""
    finally:
        writer.close()


@asynccontextmanager
async def an_http2_server(name: str) -> AsyncIterator[int]:
    """Takes HTTP/2 without TLS and nothing else; answers with what it saw. The port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        requests: dict[int, dict[str, str]] = {}
        try:
            while data := await reader.read(65536):
                for event in connection.receive_data(data):
                    if isinstance(event, ConnectionTerminated):
                        return
                    _answer(connection, event, requests, name)
                writer.write(connection.data_to_send())
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def _answer(
    connection: H2Connection, event: Event, requests: dict[int, dict[str, str]], name: str
) -> None:
    if isinstance(event, RequestReceived):
        requests[event.stream_id] = dict(event.headers)
    elif isinstance(event, StreamEnded):
        headers = requests.pop(event.stream_id)
        body = json.dumps({"backend": name, "path": headers[":path"], "headers": headers}).encode()
        connection.send_headers(
            event.stream_id, [(":status", "200"), ("content-length", str(len(body)))]
        )
        connection.send_data(event.stream_id, body, end_stream=True)


@dataclass
class Greeter:
    """The service `test.Greeter`, whose messages are UTF-8 text without a protobuf around it.

    `fails` says with which status a call ends instead, given its number, from 0.
    """

    port: int = 0
    calls: int = 0
    metadata: dict[str, str] = field(default_factory=dict)
    fails: Callable[[int], grpc.StatusCode | None] = lambda _: None

    async def hello(self, name: str, context: Any) -> str:
        await self._called(context)
        return f"hello {name}"

    async def count(self, upto: str, context: Any) -> AsyncIterator[str]:
        await self._called(context)
        for number in range(int(upto)):
            yield str(number)

    async def chat(self, names: AsyncIterator[str], context: Any) -> AsyncIterator[str]:
        await self._called(context)
        async for name in names:
            yield f"hello {name}"

    async def _called(self, context: Any) -> None:
        self.metadata = {key: str(text) for key, text in context.invocation_metadata()}
        number, self.calls = self.calls, self.calls + 1
        if (status := self.fails(number)) is not None:
            await context.abort(status, "as the test wants it")


@asynccontextmanager
async def a_greeter() -> AsyncIterator[Greeter]:
    greeter, server = Greeter(), grpc.aio.server()
    forms = {"request_deserializer": bytes.decode}  # answers are encoded by grpcio itself
    handlers = {
        "Hello": grpc.unary_unary_rpc_method_handler(greeter.hello, **forms),
        "Count": grpc.unary_stream_rpc_method_handler(greeter.count, **forms),
        "Chat": grpc.stream_stream_rpc_method_handler(greeter.chat, **forms),
    }
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("test.Greeter", handlers),)
    )
    greeter.port = server.add_insecure_port(f"{HOST}:0")
    await server.start()
    try:
        yield greeter
    finally:
        await server.stop(grace=0)


class GreeterClient:
    """Calls a Greeter at a port; `hello` gives the answer, or the status that is not OK."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        forms: dict[str, Any] = {
            "request_serializer": str.encode,
            "response_deserializer": bytes.decode,
        }
        self._hello = channel.unary_unary("/test.Greeter/Hello", **forms)
        self._count = channel.unary_stream("/test.Greeter/Count", **forms)
        self._chat = channel.stream_stream("/test.Greeter/Chat", **forms)

    async def hello(self, name: str) -> str | grpc.StatusCode:
        try:
            answer: str = await self._hello(name, timeout=_PATIENCE)
        except grpc.aio.AioRpcError as error:
            return error.code()
        return answer

    def count(self, upto: str) -> AsyncIterator[str]:
        found: AsyncIterator[str] = self._count(upto, timeout=_PATIENCE)
        return found

    def chat(self) -> Any:
        """The call, to write to and to read from."""
        return self._chat(timeout=_PATIENCE)


@asynccontextmanager
async def a_greeter_client(port: int) -> AsyncIterator[GreeterClient]:
    async with grpc.aio.insecure_channel(f"{HOST}:{port}") as channel:
        yield GreeterClient(channel)
