"""MeshProxyPatch: Envoy is told what no other policy can say, and what cannot be done is told."""

from typing import Any

import httpx
import pytest

from tests.support.mesh import HOST, until
from tests.support.processes import free_ports
from tests.system.policies.conftest import World

pytestmark = pytest.mark.asyncio(loop_scope="package")

LUA = """\
name: envoy.filters.http.lua
typedConfig:
  "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
  defaultSourceCode:
    inlineString: |
      {code}
"""
ANSWER = """\
name: answer
typedConfig:
  "@type": type.googleapis.com/envoy.extensions.filters.network.direct_response.v3.Config
  response: {inlineString: patched}
"""
LISTENER = """\
name: added
address: {{socketAddress: {{address: 127.0.0.1, portValue: {port}}}}}
filterChains:
  - filters:
      - name: envoy.filters.network.tcp_proxy
        typedConfig:
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          statPrefix: added
          cluster: added
"""
CLUSTER = """\
name: added
type: STATIC
connectTimeout: 1s
loadAssignment:
  clusterName: added
  endpoints:
    - lbEndpoints:
        - endpoint: {{address: {{socketAddress: {{address: 127.0.0.1, portValue: {port}}}}}}}
"""


def patches(service: str, *modifications: dict[str, Any]) -> dict[str, Any]:
    return {
        "targetRef": {"kind": "MeshService", "name": service},
        "default": {"appendModifications": list(modifications)},
    }


async def test_patched_virtual_hosts_and_filters_act_on_both_sides(world: World) -> None:
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
    async with world.applied("MeshProxyPatch", patches("client", to_both)):
        await until(world.get, lambda answer: answer.headers.get("x-host") == "patched")
    await until(world.get, lambda answer: "x-host" not in answer.headers)
    async with world.applied("MeshProxyPatch", patches("api", lua)):
        await until(world.get, lambda answer: answer.headers.get("x-lua") == "ran")
    await until(world.get, lambda answer: "x-lua" not in answer.headers)


async def test_a_patch_that_envoy_refuses_leaves_the_traffic_alone(world: World) -> None:
    broken = {
        "httpFilter": {
            "operation": "AddFirst",
            "match": {"listenerTags": {"kuma.io/service": "api"}},
            "value": LUA.format(code="this is no program"),
        }
    }

    async def rejection() -> str:
        answer = await world.cp.rest.get("/meshes/default/dataplane-insights/client")
        return str(answer.json())

    async with world.applied("MeshProxyPatch", patches("client", broken)):
        await until(rejection, lambda text: "script load error" in text)
        assert (await world.get()).status_code == 200


async def test_a_patch_that_cannot_be_applied_is_told_and_the_others_stand(world: World) -> None:
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
    async with world.applied("MeshProxyPatch", patches("client", impossible, header)):
        await until(world.get, lambda answer: answer.headers.get("x-host") == "patched")
        rules = (await world.cp.rest.get("/meshes/default/dataplanes/client/_rules")).json()

    (found,) = (rule for rule in rules["rules"] if rule["type"] == "MeshProxyPatch")
    assert len(found["proxyRule"]["conf"]["appendModifications"]) == 2
    (warning,) = found["warnings"]
    assert warning.startswith('"a-policy" spec.default.appendModifications[0]: could not be')


async def test_listeners_and_clusters_can_be_added(world: World) -> None:
    (port,) = free_ports(1)
    added = patches(
        "client",
        {"cluster": {"operation": "Add", "value": CLUSTER.format(port=world.next.port)}},
        {"listener": {"operation": "Add", "value": LISTENER.format(port=port)}},
    )

    async def answer() -> str:
        try:
            found = (await world.http.get(f"http://{HOST}:{port}/")).json()["backend"]
        except httpx.TransportError:
            return "nobody"
        return str(found)

    async with world.applied("MeshProxyPatch", added):
        await until(answer, "next".__eq__)
    await until(answer, "nobody".__eq__)


async def test_filters_of_connections_can_be_removed_and_added(world: World) -> None:
    match = {"listenerTags": {"kuma.io/service": "db"}, "origin": "outbound"}
    proxy = {"name": "envoy.filters.network.tcp_proxy"}
    changes = (
        {"networkFilter": {"operation": "Remove", "match": {**match, **proxy}}},
        {"networkFilter": {"operation": "AddLast", "match": match, "value": ANSWER}},
    )
    async with world.applied("MeshProxyPatch", patches("client", *changes)):
        await until(world.echoes, {"patched"}.__eq__)
        assert await world.status() == 200
    await until(world.echoes, {"one x", "two x"}.__eq__)


async def test_a_cluster_can_be_changed_and_removed(world: World) -> None:
    limit = {"op": "add", "path": "/circuitBreakers/thresholds/0/maxRequests", "value": 0}
    none = {"cluster": {"operation": "Patch", "match": {"name": "next"}, "jsonPatches": [limit]}}
    gone = {"cluster": {"operation": "Remove", "match": {"name": "next"}}}

    async def status() -> int:
        return await world.status(service="next")

    async with world.applied("MeshProxyPatch", patches("client", none)):
        await until(status, (503).__eq__)
        assert (await world.get(service="next")).headers["x-envoy-overloaded"] == "true"
    await until(status, (200).__eq__)
    async with world.applied("MeshProxyPatch", patches("client", gone)):
        await until(status, (503).__eq__)
        assert await world.status() == 200
    await until(status, (200).__eq__)


async def test_hosts_can_be_added_and_removed(world: World) -> None:
    match = {"routeConfigurationName": "outbound:next"}
    gone = {"virtualHost": {"operation": "Remove", "match": match}}
    answer = """
      name: instead
      domains: ["*"]
      routes: [{match: {prefix: /}, directResponse: {status: 203}}]
    """
    instead = {"virtualHost": {"operation": "Add", "match": match, "value": answer}}

    async def status() -> int:
        return await world.status(service="next")

    async with world.applied("MeshProxyPatch", patches("client", gone)):
        await until(status, (404).__eq__)
        async with world.applied("MeshProxyPatch", patches("client", instead), "a-host"):
            await until(status, (203).__eq__)
    await until(status, (200).__eq__)
