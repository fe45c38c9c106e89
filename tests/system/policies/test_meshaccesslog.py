"""MeshAccessLog: a line or a record of each call, where it leaves and where it arrives."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.support.collectors import a_collector
from tests.support.mesh import until
from tests.system.policies.conftest import API, World, to

pytestmark = pytest.mark.asyncio(loop_scope="package")


def logs_to(*backends: dict[str, Any], route: str = "") -> dict[str, Any]:
    """Of calls of the client to `api`, or over one route."""
    conf = {"backends": list(backends)}
    return {
        "targetRef": {"kind": "MeshService", "name": "client"},
        **(to(route, conf, "MeshHTTPRoute") if route else to("api", conf)),
    }


def a_file(path: Path, **form: Any) -> dict[str, Any]:
    return {"type": "File", "file": {"path": str(path), **({"format": form} if form else {})}}


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


async def until_logged(world: World, path: Path, wanted: str, request: str = "/") -> list[str]:
    """Requests until a line contains what is wanted: Envoy writes them from time to time."""

    async def lines() -> list[str]:
        await world.get(request)
        return lines_of(path)

    await until(lines, lambda found: any(wanted in line for line in found))
    return lines_of(path)


async def until_silent(world: World, path: Path) -> None:
    """Envoy ends a file once nothing writes to it, and what it held back is written then."""

    async def grows() -> bool:
        before = len(lines_of(path))
        await world.get()
        await asyncio.sleep(0.3)
        return len(lines_of(path)) > before

    await until(grows, (False).__eq__)


async def test_calls_are_logged_to_a_file_where_they_leave(world: World, tmp_path: Path) -> None:
    log, apart = tmp_path / "log", tmp_path / "json"
    fields = {
        "path": "%REQ(:PATH)%",
        "from": "%KUMA_SOURCE_SERVICE% in %KUMA_MESH%",
        "to": "%KUMA_DESTINATION_SERVICE%",
        "way": "%KUMA_TRAFFIC_DIRECTION%",
    }
    json_fields = [{"key": key, "value": text} for key, text in fields.items()]
    backends = a_file(log), a_file(apart, type="Json", json=json_fields)
    async with world.applied("MeshAccessLog", logs_to(*backends)):
        line = (await until_logged(world, log, "GET /logged", "/logged"))[-1]
        assert '"client" "api" "127.0.0.1"' in line
        assert " default " in line
        entry = (await until_logged(world, apart, "/logged", "/logged"))[-1]
        assert '"from":"client in default"' in entry
        assert '"to":"api"' in entry
        assert '"way":"OUTBOUND"' in entry
    await until_silent(world, log)


async def test_one_route_is_logged_apart(world: World, tmp_path: Path) -> None:
    log = tmp_path / "log"
    match = {"path": {"type": "PathPrefix", "value": "/apart"}}
    item = {
        "targetRef": {"kind": "MeshService", "name": "api"},
        "rules": [{"matches": [match], "default": {}}],
    }
    spec = logs_to(a_file(log, type="Plain", plain="%REQ(:PATH)%"), route="apart")
    async with (
        world.applied("MeshHTTPRoute", {"to": [item]}, "apart"),
        world.applied("MeshAccessLog", spec),
    ):
        await until_logged(world, log, "/apart", "/apart")
        await world.get("/else")
        lines = await until_logged(world, log, "/apart/last", "/apart/last")
    assert set(lines) == {"/apart", "/apart/last"}


async def test_calls_of_one_client_are_logged_where_they_arrive(
    world: World, tmp_path: Path
) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"

    def rule(service: str, path: Path) -> dict[str, Any]:
        spiffe = {"type": "Exact", "value": f"spiffe://default/{service}"}
        line = "%KUMA_TRAFFIC_DIRECTION% %KUMA_DESTINATION_SERVICE% %DOWNSTREAM_PEER_URI_SAN%"
        return {
            "matches": [{"spiffeID": spiffe}],
            "default": {"backends": [a_file(path, type="Plain", plain=line)]},
        }

    spec = {
        "targetRef": API,
        "rules": [rule("client", ours), rule("nobody", theirs)],
    }
    async with world.applied("MeshAccessLog", spec):
        lines = await until_logged(world, ours, "INBOUND api")

    assert "spiffe://default/client" in lines[0]
    assert lines_of(theirs) == []


async def test_a_collector_gets_records_of_calls(world: World) -> None:
    async with a_collector() as collector:
        backend = {
            "type": "OpenTelemetry",
            "openTelemetry": {
                "endpoint": f"127.0.0.1:{collector.port}",
                "attributes": [{"key": "called", "value": "%KUMA_DESTINATION_SERVICE%"}],
                "body": "%REQ(:PATH)%",
            },
        }

        async def received() -> int:
            await world.get("/collected")
            return len(collector.logs)

        async with world.applied("MeshAccessLog", logs_to(backend)):
            await until(received, bool)

    (resource, *_) = collector.logs[0].resource_logs
    (record, *_) = resource.instrumentation_library_logs[0].logs  # now named scope_logs
    about = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert about["kuma.mesh"] == "default"
    assert record.body.string_value == '"/collected"'
    assert [(a.key, a.value.string_value) for a in record.attributes] == [("called", "api")]
