"""What proxies report to, in the test's own process: collectors of OTLP, sinks of lines."""

import asyncio
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
    """What it was told over gRPC."""

    port: int
    logs: list[ExportLogsServiceRequest] = field(default_factory=list)
    metrics: list[ExportMetricsServiceRequest] = field(default_factory=list)
    spans: list[ExportTraceServiceRequest] = field(default_factory=list)


@asynccontextmanager
async def a_collector() -> AsyncIterator[Collector]:
    server = grpc.aio.server()
    made = Collector(server.add_insecure_port(f"{HOST}:0"))
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
            asked: Any, _: Any, told: list[Any] = told, response: Any = response
        ) -> Any:
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
