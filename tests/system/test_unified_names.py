"""Unified names in a real Envoy: it calls its parts as `_layout` says, while traffic flows, and only as
long as the mesh's destinations are all resources."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx

from tests.support.mesh import HOST, a_backend, a_control_plane, until
from tests.support.processes import accepts, free_ports
from tests.system.conftest import ALLOW_ALL, MTLS

NAMING = {"KUMA_DATAPLANE_RUNTIME_UNIFIED_RESOURCE_NAMING_ENABLED": "true"}
CLIENT = "/meshes/default/dataplanes/client"


async def test_envoy_has_the_names_that_the_layout_says(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        cp = await stack.enter_async_context(a_control_plane(tmp_path))
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=60))
        await cp.put({**MTLS, "meshServices": {"mode": "Exclusive"}})
        await cp.put(ALLOW_ALL)
        backend = await stack.enter_async_context(a_backend("v1"))
        await stack.enter_async_context(
            cp.sidecar("api", app_port=backend.port, env=NAMING),
        )
        await stack.enter_async_context(cp.sidecar("client", env=NAMING))

        async def service() -> httpx.Response:
            return await cp.rest.get("/meshes/default/meshservices/api")

        await until(service, lambda found: found.status_code == 200)
        made = (await service()).json()
        [port] = free_ports(1)
        document = (await cp.rest.get(CLIENT)).json()
        ref = {"kind": "MeshService", "name": "api", "port": made["spec"]["ports"][0]["port"]}
        document["networking"]["outbound"] = [{"port": port, "backendRef": ref}]
        await cp.put(document)
        await accepts(port)

        async def call() -> int:
            return (await http.get(f"http://{HOST}:{port}/")).status_code

        async def listeners() -> set[str]:
            return _listeners((await cp.rest.get(f"{CLIENT}/xds")).json())

        await until(call, lambda status: status == 200)
        layout = (await cp.rest.get(f"{CLIENT}/_layout")).json()
        named = {each["proxyResourceName"] for each in layout["inbounds"] + layout["outbounds"]}
        assert {each.split("_")[0] for each in named} == {"self", "kri"}
        assert await listeners() == {*named, "system_envoy_admin"}
        stats = (await cp.rest.get(f"{CLIENT}/stats")).text
        [outbound] = layout["outbounds"]
        assert f"http.{outbound['kri']}.downstream_rq_2xx: " in stats
        assert f"cluster.{outbound['kri']}.upstream_rq_2xx: " in stats

        await cp.put({**MTLS, "meshServices": {"mode": "Everywhere"}})
        await until(listeners, lambda found: f"outbound:{HOST}:{port}" in found)
        await until(call, lambda status: status == 200)
        assert (await cp.rest.get(f"{CLIENT}/_layout")).status_code == 400


def _listeners(dump: dict[str, Any]) -> set[str]:
    return {
        listener["name"]
        for part in dump["configs"]
        for listener in part.get("dynamic_listeners", ())
        if "active_state" in listener
    }
