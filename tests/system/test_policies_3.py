"""What MeshProxyPatch, MeshLoadBalancingStrategy and MeshAccessLog promise, seen on real traffic."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

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
