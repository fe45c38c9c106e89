"""What proxies report to, in the test's own process: collectors of OTLP, sinks of lines."""

import asyncio
import gzip
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.support.mesh import HOST


@dataclass
class Collector:
    """What it was told over gRPC, and with which metadata. `refusals`: what it answers first."""

    port: int
    metadata: list[dict[str, str]] = field(default_factory=list)
    refusals: list[grpc.StatusCode] = field(default_factory=list)
    logs: list[ExportLogsServiceRequest] = field(default_factory=list)
    metrics: list[ExportMetricsServiceRequest] = field(default_factory=list)
    spans: list[ExportTraceServiceRequest] = field(default_factory=list)


@asynccontextmanager
async def a_collector(
    port: int = 0, *, credentials: grpc.ServerCredentials | None = None
) -> AsyncIterator[Collector]:
    server = grpc.aio.server()
    at = f"{HOST}:{port}"
    if credentials is None:
        made = Collector(server.add_insecure_port(at))
    else:
        made = Collector(server.add_secure_port(at, credentials))
    for service, told, request, response in (
        ("logs.v1.LogsService", made.logs, ExportLogsServiceRequest, ExportLogsServiceResponse),
        (
            "metrics.v1.MetricsService",
            made.metrics,
            ExportMetricsServiceRequest,
            ExportMetricsServiceResponse,
        ),
        (
            "trace.v1.TraceService",
            made.spans,
            ExportTraceServiceRequest,
            ExportTraceServiceResponse,
        ),
    ):

        async def export(
            asked: Any, context: Any, told: list[Any] = told, response: Any = response
        ) -> Any:
            if made.refusals:
                await context.abort(made.refusals.pop(0), "not now")
            made.metadata.append(dict(context.invocation_metadata()))
            told.append(asked)
            return response()

        handler = grpc.unary_unary_rpc_method_handler(
            export,
            request_deserializer=request.FromString,
            response_serializer=response.SerializeToString,
        )
        name = f"opentelemetry.proto.collector.{service}"
        handlers = grpc.method_handlers_generic_handler(name, {"Export": handler})
        server.add_generic_rpc_handlers((handlers,))
    await server.start()
    try:
        yield made
    finally:
        await server.stop(None)


class HttpCollector:
    """Keeps every report: path and body, and its headers. `refusals`: what it answers first."""

    def __init__(self) -> None:
        self.port = 0
        self.reports: list[tuple[str, bytes]] = []
        self.headers: list[dict[str, str]] = []
        self.refusals: list[int] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode().strip().split("\r\n")
                headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
                if headers.get("transfer-encoding") == "chunked":
                    body = await read_chunks(reader)
                else:
                    body = await reader.readexactly(int(headers.get("content-length", 0)))
                if headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                writer.write(self._answer(first.split(" ")[1], headers, body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, path: str, headers: dict[str, str], body: bytes) -> bytes:
        if self.refusals:
            status = self.refusals.pop(0)
            return f"HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n".encode()
        self.reports.append((path, body))
        self.headers.append(headers)
        return b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\n{}"

    def zipkin_spans(self) -> list[dict[str, Any]]:
        return [span for _, body in self.reports for span in json.loads(body)]


async def read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body


@asynccontextmanager
async def an_http_collector(*, tls: ssl.SSLContext | None = None) -> AsyncIterator[HttpCollector]:
    collector = HttpCollector()
    server = await asyncio.start_server(collector.serve, HOST, 0, ssl=tls)
    collector.port = server.sockets[0].getsockname()[1]
    async with server:
        yield collector


class LineSink:
    """Takes lines over TCP. It may be closed, and opened again at the same port."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for each in self._writers:
            each.close()
        await asyncio.gather(*(each.wait_closed() for each in self._writers))
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        while line := await reader.readline():
            self.lines.append(line.decode())


@asynccontextmanager
async def a_sink() -> AsyncIterator[LineSink]:
    sink = LineSink()
    await sink.open()
    try:
        yield sink
    finally:
        await sink.close()
