"""What MeshAccessLog over TCP and MeshOpenTelemetryBackend promise, seen by collectors."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

from tests.support.collectors import (
    Collector,
    LineSink,
    a_collector,
    a_sink,
    an_http_collector,
)
from tests.support.mesh import HOST, until
from tests.system.conftest import Mesh

pytestmark = pytest.mark.asyncio(loop_scope="module")

REF = {"kind": "MeshOpenTelemetryBackend", "labels": {"team": "core"}}
BACKEND = {"type": "OpenTelemetry", "openTelemetry": {"backendRef": REF}}


@asynccontextmanager
async def applied(mesh: Mesh, *documents: dict[str, Any]) -> AsyncIterator[None]:
    """Resources for the time of a test."""
    for each in documents:
        await mesh.cp.put({"mesh": "default", "name": "under-test", **each})
    try:
        yield
    finally:
        for each in documents:
            await mesh.cp.delete({"mesh": "default", "name": "under-test", **each})


def logs_to(*backends: dict[str, Any]) -> dict[str, Any]:
    to = [{"targetRef": {"kind": "Mesh"}, "default": {"backends": list(backends)}}]
    return {"type": "MeshAccessLog", "spec": {"to": to}}


def over_tcp(sink: LineSink, **form: Any) -> dict[str, Any]:
    address = f"{HOST}:{sink.port}"
    return {"type": "Tcp", "tcp": {"address": address, **({"format": form} if form else {})}}


def described(port: int, **spec: Any) -> dict[str, Any]:
    endpoint = {"address": HOST, "port": port, **spec.pop("endpoint", {})}
    labels = {"team": "core"}
    spec = {"endpoint": endpoint, **spec}
    return {"type": "MeshOpenTelemetryBackend", "labels": labels, "spec": spec}


async def test_a_sink_gets_lines_and_objects_until_the_policy_is_removed(mesh: Mesh) -> None:
    plain = "%KUMA_SOURCE_SERVICE% -> %KUMA_DESTINATION_SERVICE% in %KUMA_MESH%: %RESPONSE_CODE%"
    fields = [
        {"key": "to", "value": "%KUMA_DESTINATION_SERVICE%"},
        {"key": "code", "value": "%RESPONSE_CODE%"},
    ]
    async with a_sink() as text, a_sink() as objects, a_sink() as default:

        async def called() -> bool:
            await mesh.get("/logged")
            return all(sink.lines for sink in (text, objects, default))

        policy = logs_to(
            over_tcp(text, type="Plain", plain=plain),
            over_tcp(objects, type="Json", json=fields),
            over_tcp(default),
        )
        async with applied(mesh, policy):
            await until(called, bool)

        assert set(text.lines) == {"client -> api in default: 200\n"}
        assert json.loads(objects.lines[0]) == {"to": "api", "code": 200}
        assert 'default "GET /logged HTTP/1.1" 200' in default.lines[0]

        async def is_quiet() -> bool:
            """Envoy writes what it holds every second, so what is new comes with a sink's own."""
            before = len(text.lines)
            async with a_sink() as other, applied(mesh, logs_to(over_tcp(other))):

                async def seen() -> bool:
                    await mesh.get()
                    return bool(other.lines)

                await until(seen, bool)
            return len(text.lines) == before

        await until(is_quiet, bool)


async def test_a_sink_that_restarts_gets_what_happened_meanwhile(mesh: Mesh) -> None:
    async with (
        a_sink() as sink,
        applied(mesh, logs_to(over_tcp(sink, type="Plain", plain="%REQ(:PATH)%"))),
    ):

        async def seen(path: str) -> bool:
            await mesh.get(path)
            return f"{path}\n" in sink.lines

        await until(lambda: seen("/before"), bool)
        await sink.close()
        assert (await mesh.get("/meanwhile")).is_success
        await sink.open()
        await until(lambda: seen("/after"), bool)
        assert "/meanwhile\n" in sink.lines


async def resolved(mesh: Mesh) -> str:
    """What the status of the MeshTrace says of its references."""
    policy = (await mesh.cp.rest.get("/meshes/default/meshtraces/under-test")).json()
    conditions = policy.get("status", {}).get("conditions", [])
    return next((str(each["status"]) for each in conditions), "")


async def test_a_change_of_the_backend_moves_logs_and_spans_of_policies(mesh: Mesh) -> None:
    trace = {"type": "MeshTrace", "spec": {"default": {"backends": [BACKEND]}}}
    async with a_collector() as first, a_collector() as second:

        async def told(collector: Collector) -> bool:
            await mesh.get()
            return bool(collector.logs and collector.spans)

        async with applied(mesh, logs_to(BACKEND), trace):
            await until(lambda: resolved(mesh), "False".__eq__)
            async with applied(mesh, described(first.port)):
                await until(lambda: resolved(mesh), "True".__eq__)
                await until(lambda: told(first), bool)
                await mesh.cp.put(
                    {"mesh": "default", "name": "under-test", **described(second.port)}
                )
                await until(lambda: told(second), bool)

            async def is_quiet() -> bool:
                first.spans.clear()
                second.spans.clear()
                headers = (await mesh.get()).json()["headers"]
                return "traceparent" not in headers

            await until(is_quiet, bool)

    (resource, *_) = second.logs[0].resource_logs
    about = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert about["kuma.mesh"] == "default"


async def test_a_backend_of_protocol_http_gets_logs_and_spans(mesh: Mesh) -> None:
    trace = {"type": "MeshTrace", "spec": {"default": {"backends": [BACKEND]}}}
    async with an_http_collector() as collector:
        backend = described(collector.port, protocol="http", endpoint={"path": "/otlp"})
        async with applied(mesh, backend, logs_to(BACKEND), trace):

            async def paths() -> set[str]:
                await mesh.get()
                return {path for path, _ in collector.reports}

            await until(paths, {"/otlp/v1/logs", "/otlp/v1/traces"}.issubset)

    logs = [body for path, body in collector.reports if path == "/otlp/v1/logs"]
    (resource, *_) = ExportLogsServiceRequest.FromString(logs[0]).resource_logs
    about = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert about["kuma.mesh"] == "default"
    spans = [body for path, body in collector.reports if path == "/otlp/v1/traces"]
    assert ExportTraceServiceRequest.FromString(spans[0]).resource_spans
