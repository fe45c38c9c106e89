"""What kuma-dp's environment does for collectors: spans, records and metrics by way of real sidecars."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from tests.dataplane.control_plane import write_certificate
from tests.support.collectors import Collector, HttpCollector, a_collector, an_http_collector
from tests.support.mesh import HOST, Sidecar, until
from tests.support.processes import free_ports
from tests.system.conftest import Mesh
from tests.system.test_collectors import BACKEND, applied, described, logs_to

pytestmark = pytest.mark.asyncio(loop_scope="module")

P = "OTEL_EXPORTER_OTLP"
TRACE = {"type": "MeshTrace", "spec": {"default": {"backends": [BACKEND]}}}
METRIC_BACKEND = {
    "type": "OpenTelemetry",
    "openTelemetry": {**BACKEND["openTelemetry"], "refreshInterval": "1s"},  # type: ignore[dict-item]
}
METRIC = {"type": "MeshMetric", "spec": {"default": {"backends": [METRIC_BACKEND]}}}
WITHOUT_ADDRESS = {"type": "MeshOpenTelemetryBackend", "labels": {"team": "core"}, "spec": {}}


@asynccontextmanager
async def a_caller(
    mesh: Mesh, env: dict[str, str] | None = None, *flags: str
) -> AsyncIterator[Sidecar]:
    async with mesh.cp.sidecar("caller", *flags, outbounds={"api": "api"}, env=env) as caller:
        await until(lambda: call(caller), bool)
        yield caller


async def call(caller: Sidecar) -> bool:
    """Over a connection of its own, so that none is left."""
    async with httpx.AsyncClient(headers={"connection": "close"}, timeout=20) as client:
        try:
            return (await client.get(caller.url("api", "/called"))).is_success
        except httpx.HTTPError:
            return False


async def insight(mesh: Mesh) -> dict[str, Any]:
    answer = await mesh.cp.rest.get("/meshes/default/dataplanes/caller/_overview")
    told: dict[str, Any] = answer.json()["dataplaneInsight"].get("openTelemetry", {})
    return {each.pop("name"): each for each in told.get("backends", [])}


async def test_variables_say_where_signals_go_and_how(mesh: Mesh, tmp_path: Path) -> None:
    certificate = write_certificate(tmp_path)
    key = certificate.with_suffix(".key")
    credentials = grpc.ssl_server_credentials(
        [(key.read_bytes(), certificate.read_bytes())],
        certificate.read_bytes(),
        require_client_auth=True,
    )
    async with a_collector(credentials=credentials) as shared, an_http_collector() as spans:
        env = {
            f"{P}_ENDPOINT": f"https://{HOST}:{shared.port}",
            f"{P}_CERTIFICATE": str(certificate),
            f"{P}_CLIENT_CERTIFICATE": str(certificate),
            f"{P}_CLIENT_KEY": str(key),
            f"{P}_HEADERS": "x-secret=do-not-tell",
            f"{P}_COMPRESSION": "gzip",
            f"{P}_TRACES_ENDPOINT": f"http://{HOST}:{spans.port}/custom/spans",
            f"{P}_TRACES_PROTOCOL": "http/protobuf",
        }
        wanted = (WITHOUT_ADDRESS, logs_to(BACKEND), TRACE, METRIC)
        async with a_caller(mesh, env) as caller, applied(mesh, *wanted):

            async def all_told() -> bool:
                await call(caller)
                return bool(shared.logs and shared.metrics and spans.reports)

            await until(all_told, bool)
            found = await insight(mesh)
        dump = await mesh.cp.rest.get("/meshes/default/dataplanes/caller/_overview")
    ready = {"enabled": True, "envAllowed": True, "envInputPresent": True, "state": "ready"}
    overrides = {"overrideKinds": ["endpoint", "protocol"]}
    assert found == {
        "under-test": {"traces": {**ready, **overrides}, "logs": ready, "metrics": ready}
    }
    assert shared.metadata[0]["x-secret"] == "do-not-tell"
    assert spans.headers[0]["x-secret"] == "do-not-tell"
    assert {path for path, _ in spans.reports} == {"/custom/spans"}
    for secret in ("do-not-tell", str(key)):
        assert secret not in dump.text
        assert secret not in mesh.cp.process.log
        assert secret not in caller.process.log


async def test_what_is_disabled_does_not_count_and_what_is_required_must_be_there(
    mesh: Mesh,
) -> None:
    async with a_collector() as said, a_collector() as other:
        env = {f"{P}_ENDPOINT": f"http://{HOST}:{other.port}"}
        async with a_caller(mesh, env) as caller, applied(mesh, TRACE):

            async def told(collector: Collector) -> bool:
                await call(caller)
                return bool(collector.spans)

            backend = described(said.port, env={"mode": "Disabled"})
            async with applied(mesh, backend):
                await until(lambda: told(said), bool)
                [signals] = (await insight(mesh)).values()
                assert signals["traces"]["blockedReasons"] == ["EnvDisabledByPolicy"]
                assert signals["traces"]["state"] == "ready"
                assert not other.spans
                await mesh.cp.put({"mesh": "default", "name": "under-test", **described(said.port)})
                await until(lambda: told(other), bool)

        async with a_caller(mesh) as caller:
            backend = described(said.port, env={"mode": "Required"})
            async with applied(mesh, backend, TRACE):
                missing = {"state": "missing", "blockedReasons": ["RequiredEnvMissing"]}

                async def state() -> dict[str, Any]:
                    signals = (await insight(mesh)).get("under-test", {}).get("traces", {})
                    return {key: signals.get(key) for key in missing}

                await until(state, missing.__eq__)


async def test_at_the_end_everything_is_sent_that_there_is(mesh: Mesh) -> None:
    async with an_http_collector() as collector:
        backend = described(collector.port, protocol="http")
        slow = {"openTelemetry": {**BACKEND["openTelemetry"], "refreshInterval": "1h"}}  # type: ignore[dict-item]
        metric = {"spec": {"default": {"backends": [{**METRIC_BACKEND, **slow}]}}}
        async with (
            a_caller(mesh, None, "--drain-time=15s") as caller,
            applied(mesh, backend, logs_to(BACKEND), TRACE, {**METRIC, **metric}),
        ):
            await caller.process.line("OTLP is taken for a collector")
            await until(lambda: call_and_look(caller, collector), lambda found: "/v1/logs" in found)
            assert "/v1/metrics" not in paths(collector)
            await until(
                lambda: call_and_look(caller, collector), lambda found: "/v1/traces" in found
            )
            collector.reports.clear()
            assert await call(caller)
            caller.process.signal(signal.SIGTERM)
            assert await caller.process.ended() == 0
    assert {"/v1/logs", "/v1/metrics", "/v1/traces"} <= set(paths(collector)), caller.process.log


def paths(collector: HttpCollector) -> list[str]:
    return [path for path, _ in collector.reports]


async def call_and_look(caller: Sidecar, collector: HttpCollector) -> list[str]:
    await call(caller)
    return paths(collector)


async def test_a_collector_that_comes_late_gets_what_happened_before(mesh: Mesh) -> None:
    [port] = free_ports(1)
    async with (
        a_caller(mesh) as caller,
        applied(mesh, described(port), logs_to(BACKEND)),
    ):
        await caller.process.line("OTLP is taken for a collector")

        async def is_held_up() -> bool:
            await call(caller)
            return "a collector cannot be sent to" in caller.process.log

        await until(is_held_up, bool)
        async with a_collector(port) as collector:
            await until(lambda: asyncio.sleep(0.05, collector.logs), bool)


async def test_without_the_pipe_envoy_speaks_to_the_collector_itself(mesh: Mesh) -> None:
    env = {
        "KUMA_DATAPLANE_RUNTIME_OTEL_PIPE_ENABLED": "false",
        f"{P}_ENDPOINT": f"http://{HOST}:1",
    }
    async with a_collector() as collector, a_caller(mesh, env) as caller:
        async with applied(mesh, described(collector.port), logs_to(BACKEND), TRACE, METRIC):

            async def all_told() -> bool:
                await call(caller)
                return bool(collector.logs and collector.metrics and collector.spans)

            await until(all_told, bool)
            assert await insight(mesh) == {}
        assert "OTLP is taken" not in caller.process.log
