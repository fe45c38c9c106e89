"""What MeshProxyPatch, MeshLoadBalancingStrategy and MeshAccessLog promise, seen on real traffic."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)

from tests.support.mesh import until
from tests.system.conftest import Mesh

pytestmark = pytest.mark.asyncio(loop_scope="module")

LUA = """\
name: envoy.filters.http.lua
typedConfig:
  "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
  defaultSourceCode:
    inlineString: |
      {code}
"""


@asynccontextmanager
async def applied(mesh: Mesh, kind: str, spec: dict[str, Any]) -> AsyncIterator[None]:
    """A policy for the time of a test."""
    document = {"type": kind, "mesh": "default", "name": "under-test", "spec": spec}
    path = {"MeshProxyPatch": "meshproxypatches"}.get(kind, "meshloadbalancingstrategies")
    path = "meshaccesslogs" if kind == "MeshAccessLog" else path
    url = f"/meshes/default/{path}/under-test"
    answer = await mesh.cp.rest.put(url, json=document)
    assert answer.is_success, answer.text
    try:
        yield
    finally:
        await mesh.cp.rest.delete(url)


def to_api(default: dict[str, Any], **target: Any) -> dict[str, Any]:
    return {
        "to": [{"targetRef": target or {"kind": "MeshService", "name": "api"}, "default": default}]
    }


async def versions(mesh: Mesh, count: int = 10, path: str = "/", **headers: str) -> Counter[str]:
    return Counter([await mesh.version(path, headers=headers) for _ in range(count)])


USERS = [f"user-{number}" for number in range(20)]


async def versions_of_users(mesh: Mesh) -> list[set[str]]:
    """For each user the versions that answered; the header tells who it is."""
    return [set(await versions(mesh, 3, **{"x-user": user})) for user in USERS]


def is_sticky(seen: list[set[str]]) -> bool:
    """Each user always reaches the same version, and not all of them the same one."""
    return all(len(each) == 1 for each in seen) and len(set[str]().union(*seen)) == 2


def patches(service: str, *modifications: dict[str, Any]) -> dict[str, Any]:
    return {
        "targetRef": {"kind": "MeshService", "name": service},
        "default": {"appendModifications": list(modifications)},
    }


async def test_patched_virtual_hosts_and_filters_act_on_both_sides(mesh: Mesh) -> None:
    to_both = {
        "virtualHost": {
            "operation": "Patch",
            "match": {"origin": "outbound", "routeConfigurationName": "outbound:api"},
            "value": "responseHeadersToAdd: [{header: {key: x-host, value: patched}}]",
        }
    }
    script = 'function envoy_on_response(handle) handle:headers():add("x-lua", "ran") end'
    lua = {
        "httpFilter": {
            "operation": "AddBefore",
            "match": {"name": "envoy.filters.http.router", "origin": "inbound"},
            "value": LUA.format(code=script),
        }
    }
    async with (
        applied(mesh, "MeshProxyPatch", patches("client", to_both)),
    ):
        await until(mesh.get, lambda answer: answer.headers.get("x-host") == "patched")
    await until(mesh.get, lambda answer: "x-host" not in answer.headers)
    async with applied(mesh, "MeshProxyPatch", patches("api", lua)):
        await until(mesh.get, lambda answer: answer.headers.get("x-lua") == "ran")
    await until(mesh.get, lambda answer: "x-lua" not in answer.headers)


async def test_a_patch_that_envoy_refuses_leaves_the_traffic_alone(mesh: Mesh) -> None:
    broken = {
        "httpFilter": {
            "operation": "AddFirst",
            "match": {"listenerTags": {"kuma.io/service": "api"}},
            "value": LUA.format(code="this is no program"),
        }
    }

    async def rejection() -> str:
        answer = await mesh.cp.rest.get("/meshes/default/dataplane-insights/client")
        return str(answer.json())

    async with applied(mesh, "MeshProxyPatch", patches("client", broken)):
        await until(rejection, lambda text: "script load error" in text)
        assert (await mesh.get()).status_code == 200


async def test_a_patch_that_cannot_be_applied_is_told_and_the_others_stand(mesh: Mesh) -> None:
    impossible = {
        "cluster": {
            "operation": "Patch",
            "match": {"name": "api"},
            "jsonPatches": [{"op": "replace", "path": "/nothing/here", "value": 1}],
        }
    }
    header = {
        "virtualHost": {
            "operation": "Patch",
            "match": {"origin": "outbound"},
            "value": "responseHeadersToAdd: [{header: {key: x-host, value: patched}}]",
        }
    }
    async with applied(mesh, "MeshProxyPatch", patches("client", impossible, header)):
        await until(mesh.get, lambda answer: answer.headers.get("x-host") == "patched")
        rules = (await mesh.cp.rest.get("/meshes/default/dataplanes/client/_rules")).json()

    (found,) = (rule for rule in rules["rules"] if rule["type"] == "MeshProxyPatch")
    assert len(found["proxyRule"]["conf"]["appendModifications"]) == 2
    (warning,) = found["warnings"]
    assert warning.startswith('"under-test" spec.default.appendModifications[0]: could not be')


@pytest.mark.parametrize("balancer", ["RingHash", "Maglev"])
async def test_a_header_decides_about_the_instance(mesh: Mesh, balancer: str) -> None:
    conf = {
        "loadBalancer": {"type": balancer},
        "hashPolicies": [{"type": "Header", "header": {"name": "x-user"}}],
    }
    async with applied(mesh, "MeshLoadBalancingStrategy", to_api(conf)):
        await until(lambda: versions_of_users(mesh), is_sticky)
    await until(lambda: versions(mesh, **{"x-user": "same"}), lambda seen: len(seen) == 2)


async def test_a_cookie_that_envoy_makes_binds_a_client(mesh: Mesh) -> None:
    cookie = {"name": "bound", "ttl": "1h", "path": "/"}
    conf = {
        "loadBalancer": {
            "type": "RingHash",
            "ringHash": {"hashPolicies": [{"type": "Cookie", "cookie": cookie}]},
        }
    }
    async with applied(mesh, "MeshLoadBalancingStrategy", to_api(conf)):
        await until(mesh.get, lambda answer: "bound" in answer.cookies)
        assert mesh.http.cookies["bound"]  # sent from now on
        assert len(await versions(mesh)) == 1
    mesh.http.cookies.clear()


async def test_one_route_has_a_hash_of_its_own(mesh: Mesh) -> None:
    route = {
        "type": "MeshHTTPRoute",
        "mesh": "default",
        "name": "by-id",
        "spec": to_api({}, kind="MeshService", name="api"),
    }
    match = {"path": {"type": "PathPrefix", "value": "/by-id"}}
    (item,) = route["spec"]["to"]
    del item["default"]
    item["rules"] = [{"matches": [match], "default": {}}]
    ring = {"loadBalancer": {"type": "RingHash"}}
    by_query = {"hashPolicies": [{"type": "QueryParameter", "queryParameter": {"name": "id"}}]}

    async def seen() -> list[set[str]]:
        return [set(await versions(mesh, 3, f"/by-id?id={user}")) for user in USERS]

    await mesh.cp.put(route)
    await mesh.cp.rest.put(
        "/meshes/default/meshloadbalancingstrategies/ring",
        json={
            "type": "MeshLoadBalancingStrategy",
            "mesh": "default",
            "name": "ring",
            "spec": to_api(ring),
        },
    )
    try:
        spec = to_api(by_query, kind="MeshHTTPRoute", name="by-id")
        async with applied(mesh, "MeshLoadBalancingStrategy", spec):
            await until(seen, is_sticky)
            assert len(await versions(mesh, 20, "/else?id=same")) == 2
    finally:
        await mesh.cp.delete(route)
        await mesh.cp.rest.delete("/meshes/default/meshloadbalancingstrategies/ring")


@pytest.mark.parametrize("balancer", ["RoundRobin", "LeastRequest", "Random"])
async def test_without_a_hash_every_instance_gets_requests(mesh: Mesh, balancer: str) -> None:
    conf = {"loadBalancer": {"type": balancer}}
    async with applied(mesh, "MeshLoadBalancingStrategy", to_api(conf)):
        policy = {
            "RoundRobin": None,
            "LeastRequest": "LEAST_REQUEST",
            "Random": "RANDOM",
        }[balancer]
        await until(lambda: _lb_policy(mesh), lambda found: found == policy)
        await until(lambda: versions(mesh, 20), lambda seen: len(seen) == 2)


async def _lb_policy(mesh: Mesh) -> str | None:
    """That of the cluster as Envoy has it; None: the default."""
    dump = (await mesh.cp.rest.get("/meshes/default/dataplanes/client/xds")).json()
    return next(
        each["cluster"].get("lb_policy")
        for config in dump["configs"]
        for each in config.get("dynamic_active_clusters", ())
        if each["cluster"]["name"] == "api"
    )


async def test_affinity_keeps_traffic_near(mesh: Mesh) -> None:
    url = "/meshes/default/dataplanes/client"
    original = (await mesh.cp.rest.get(url)).json()
    near = (await mesh.cp.rest.get(url)).json()
    near["networking"]["inbound"][0]["tags"]["version"] = "v2"
    weighted = [{"key": "version", "weight": 1_000_000}]
    conf = {"localityAwareness": {"localZone": {"affinityTags": weighted}}}
    assert (await mesh.cp.rest.put(url, json=near)).is_success
    try:
        async with applied(mesh, "MeshLoadBalancingStrategy", to_api(conf)):
            await until(lambda: versions(mesh, 20), lambda seen: set(seen) == {"v2"})
        await until(lambda: versions(mesh, 20), lambda seen: len(seen) == 2)
    finally:
        await mesh.cp.rest.put(url, json=original)


def logs_to(*backends: dict[str, Any], **target: Any) -> dict[str, Any]:
    return {
        "targetRef": {"kind": "MeshService", "name": "client"},
        **to_api({"backends": list(backends)}, **target),
    }


def a_file(path: Path, **form: Any) -> dict[str, Any]:
    return {"type": "File", "file": {"path": str(path), **({"format": form} if form else {})}}


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


async def until_logged(mesh: Mesh, path: Path, wanted: str, request: str = "/") -> list[str]:
    """Requests until a line contains what is wanted: Envoy writes them from time to time."""

    async def lines() -> list[str]:
        await mesh.get(request)
        return lines_of(path)

    await until(lines, lambda found: any(wanted in line for line in found), within=30)
    return lines_of(path)


async def test_calls_are_logged_to_a_file_where_they_leave(mesh: Mesh, tmp_path: Path) -> None:
    log, apart = tmp_path / "log", tmp_path / "json"
    fields = {
        "path": "%REQ(:PATH)%",
        "from": "%KUMA_SOURCE_SERVICE% in %KUMA_MESH%",
        "to": "%KUMA_DESTINATION_SERVICE%",
        "way": "%KUMA_TRAFFIC_DIRECTION%",
    }
    json_fields = [{"key": key, "value": text} for key, text in fields.items()]
    backends = a_file(log), a_file(apart, type="Json", json=json_fields)
    async with applied(mesh, "MeshAccessLog", logs_to(*backends)):
        line = (await until_logged(mesh, log, "GET /logged", "/logged"))[-1]
        assert '"client" "api" "127.0.0.1"' in line
        assert " default " in line
        entry = (await until_logged(mesh, apart, "/logged", "/logged"))[-1]
        assert '"from":"client in default"' in entry
        assert '"to":"api"' in entry
        assert '"way":"OUTBOUND"' in entry
    await until(mesh.get, lambda answer: answer.status_code == 200)


async def test_one_route_is_logged_apart(mesh: Mesh, tmp_path: Path) -> None:
    log = tmp_path / "log"
    match = {"path": {"type": "PathPrefix", "value": "/apart"}}
    item = {
        "targetRef": {"kind": "MeshService", "name": "api"},
        "rules": [{"matches": [match], "default": {}}],
    }
    route = {"type": "MeshHTTPRoute", "mesh": "default", "name": "apart", "spec": {"to": [item]}}
    spec = logs_to(
        a_file(log, type="Plain", plain="%REQ(:PATH)%"), kind="MeshHTTPRoute", name="apart"
    )
    await mesh.cp.put(route)
    try:
        async with applied(mesh, "MeshAccessLog", spec):
            await until_logged(mesh, log, "/apart", "/apart")
            await mesh.get("/else")
            lines = await until_logged(mesh, log, "/apart/last", "/apart/last")
        assert {line.split("?")[0] for line in lines} == {"/apart", "/apart/last"}
    finally:
        await mesh.cp.delete(route)


async def test_calls_of_one_client_are_logged_where_they_arrive(mesh: Mesh, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"

    def rule(service: str, path: Path) -> dict[str, Any]:
        spiffe = {"type": "Exact", "value": f"spiffe://default/{service}"}
        line = "%KUMA_TRAFFIC_DIRECTION% %KUMA_DESTINATION_SERVICE% %DOWNSTREAM_PEER_URI_SAN%"
        return {
            "matches": [{"spiffeID": spiffe}],
            "default": {"backends": [a_file(path, type="Plain", plain=line)]},
        }

    spec = {
        "targetRef": {"kind": "MeshService", "name": "api"},
        "rules": [rule("client", ours), rule("nobody", theirs)],
    }
    async with applied(mesh, "MeshAccessLog", spec):
        lines = await until_logged(mesh, ours, "INBOUND api")

    assert "spiffe://default/client" in lines[0]
    assert lines_of(theirs) == []


@asynccontextmanager
async def a_collector() -> AsyncIterator[tuple[int, list[ExportLogsServiceRequest]]]:
    """The port of a collector of OpenTelemetry logs, and what it got."""
    requests: list[ExportLogsServiceRequest] = []

    async def export(request: ExportLogsServiceRequest, _: Any) -> ExportLogsServiceResponse:
        requests.append(request)
        return ExportLogsServiceResponse()

    handler = grpc.unary_unary_rpc_method_handler(
        export,
        request_deserializer=ExportLogsServiceRequest.FromString,
        response_serializer=ExportLogsServiceResponse.SerializeToString,
    )
    server = grpc.aio.server()
    service = "opentelemetry.proto.collector.logs.v1.LogsService"
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(service, {"Export": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port, requests
    finally:
        await server.stop(None)


async def test_a_collector_gets_records_of_calls(mesh: Mesh) -> None:
    async with a_collector() as (port, requests):
        backend = {
            "type": "OpenTelemetry",
            "openTelemetry": {
                "endpoint": f"127.0.0.1:{port}",
                "attributes": [{"key": "called", "value": "%KUMA_DESTINATION_SERVICE%"}],
                "body": "%REQ(:PATH)%",
            },
        }

        async def received() -> int:
            await mesh.get("/collected")
            return len(requests)

        async with applied(mesh, "MeshAccessLog", logs_to(backend)):
            await until(received, bool, within=30)

    (resource, *_) = requests[0].resource_logs
    (record, *_) = resource.instrumentation_library_logs[0].logs  # now named scope_logs
    about = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert about["kuma.mesh"] == "default"
    assert record.body.string_value == '"/collected"'
    assert [(a.key, a.value.string_value) for a in record.attributes] == [("called", "api")]
