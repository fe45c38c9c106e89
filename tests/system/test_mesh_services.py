"""MeshServices on real traffic: made from dataplanes, called by name and port, with mutual TLS."""

from collections import Counter
from typing import Any

import httpx
import pytest

from kuma.plan.names import resource_sni
from tests.support.mesh import HOST, a_backend, until
from tests.support.processes import accepts, free_ports
from tests.system.conftest import MTLS, Mesh

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVICE = "/meshes/default/meshservices/api"


async def services_on(mesh: Mesh) -> dict[str, Any]:
    """The MeshService of both versions of `api`, whose inbounds must have one port: each listens on
    its own here, so the second is in conflict and a MeshService by hand has both."""
    await mesh.cp.put({**MTLS, "meshServices": {"mode": "Everywhere"}})

    async def ask() -> httpx.Response:
        return await mesh.cp.rest.get(SERVICE)

    await until(ask, lambda found: found.status_code == 200)
    found: dict[str, Any] = (await ask()).json()
    return found


def both_versions(mesh: Mesh, name: str = "both") -> dict[str, Any]:
    """Port 80 is the inbound of v1, port 81 that of v2."""
    ports = [
        {
            "name": version,
            "port": number,
            "targetPort": mesh.sidecars[version].inbound,
            "appProtocol": "http",
        }
        for version, number in (("v1", 80), ("v2", 81))
    ]
    selector = {"dataplaneTags": {"kuma.io/service": "api"}}
    return {
        "type": "MeshService",
        "mesh": "default",
        "name": name,
        "labels": {"team": name},
        "spec": {"selector": selector, "ports": ports},
    }


async def outbound_to(mesh: Mesh, ref: dict[str, Any]) -> str:
    """Give the client one more outbound; the URL at which it answers."""
    [port] = free_ports(1)
    path = "/meshes/default/dataplanes/client"
    document = (await mesh.cp.rest.get(path)).json()
    document["networking"]["outbound"].append({"port": port, "backendRef": ref})
    await mesh.cp.put(document)
    await accepts(port)
    return f"http://{HOST}:{port}/"


async def backend_at(mesh: Mesh, url: str) -> str:
    answer = await mesh.http.get(url)
    return str(answer.json()["backend"]) if answer.is_success else str(answer.status_code)


async def test_a_mesh_service_is_made_and_kept(mesh: Mesh) -> None:
    made = await services_on(mesh)

    assert made["labels"]["kuma.io/managed-by"] == "meshservice-generator"
    assert made["kri"] == "kri_msvc_default_default__api_"
    assert made["spec"]["ports"][0]["appProtocol"] == "http"

    async def ask() -> dict[str, Any]:
        return dict((await mesh.cp.rest.get(SERVICE)).json())

    await until(ask, lambda found: found.get("status", {}).get("tls") == {"status": "Ready"})
    found = await ask()
    assert found["spec"]["identities"] == [{"type": "ServiceTag", "value": "api"}]
    assert found["spec"]["state"] == "Available"
    assert found["status"]["dataplaneProxies"]["total"] == 2


async def test_services_have_the_names_of_generators(mesh: Mesh) -> None:
    await services_on(mesh)

    async def names() -> list[str]:
        status = (await mesh.cp.rest.get(SERVICE)).json().get("status", {})
        return [each["hostname"] for each in status.get("addresses", [])]

    await until(names, lambda found: found == ["api.svc.mesh.local"])
    template = "{{ .DisplayName }}.{{ .Zone }}.example"
    selector = {"meshService": {"matchLabels": {"kuma.io/display-name": "api"}}}
    await mesh.cp.put(
        {
            "type": "HostnameGenerator",
            "name": "another",
            "spec": {"selector": selector, "template": template},
        }
    )
    await until(names, lambda found: "api.default.example" in found)
    listed = (await mesh.cp.rest.get(f"{SERVICE}/_hostnames")).json()
    assert [each["hostname"] for each in listed["items"]] == [
        "api.default.example",
        "api.svc.mesh.local",
    ]

    await mesh.cp.rest.delete("/hostnamegenerators/another")
    await until(names, lambda found: found == ["api.svc.mesh.local"])


async def test_the_dataplanes_of_a_workload_are_counted(mesh: Mesh) -> None:
    path = "/meshes/default/dataplanes/client"
    document = (await mesh.cp.rest.get(path)).json()
    labels = {**document["labels"], "kuma.io/workload": "caller"}
    await mesh.cp.put({**document, "labels": labels})

    async def ask() -> httpx.Response:
        return await mesh.cp.rest.get("/meshes/default/workloads/caller")

    counted = {"dataplaneProxies": {"connected": 1, "healthy": 1, "total": 1}}
    await until(ask, lambda found: found.json().get("status") == counted)

    await mesh.cp.put(document)
    await until(ask, lambda found: found.status_code == 404)


async def test_each_port_of_a_mesh_service_is_called_by_an_outbound_of_its_own(mesh: Mesh) -> None:
    await mesh.cp.put(both_versions(mesh))

    by_name = await outbound_to(mesh, {"kind": "MeshService", "name": "both", "port": 80})
    by_labels = await outbound_to(
        mesh, {"kind": "MeshService", "labels": {"team": "both"}, "port": 81}
    )

    assert await backend_at(mesh, by_name) == "v1"
    assert await backend_at(mesh, by_labels) == "v2"


async def test_a_policy_on_a_section_holds_for_that_port_alone(mesh: Mesh) -> None:
    await mesh.cp.put(both_versions(mesh, "parted"))
    first = await outbound_to(mesh, {"kind": "MeshService", "name": "parted", "port": 80})
    second = await outbound_to(mesh, {"kind": "MeshService", "name": "parted", "port": 81})
    target = {"kind": "MeshService", "name": "parted", "sectionName": "v2"}
    policy = {
        "type": "MeshTimeout",
        "mesh": "default",
        "name": "short",
        "spec": {
            "to": [{"targetRef": target, "default": {"http": {"requestTimeout": "100ms"}}}],
        },
    }
    mesh.v1.delay = mesh.v2.delay = lambda _path: 0.4
    try:
        await mesh.cp.put(policy)

        async def ask() -> str:
            return await backend_at(mesh, second)

        await until(ask, lambda answer: answer == "504")
        assert await backend_at(mesh, first) == "v1"
        rules = (await mesh.cp.rest.get("/meshes/default/dataplanes/client/_rules")).json()
        [timeouts] = [each for each in rules["rules"] if each["type"] == "MeshTimeout"]
        found = [each["resourceSectionName"] for each in timeouts["toResourceRules"]]
        assert "v2" in found
    finally:
        mesh.v1.delay = mesh.v2.delay = lambda _path: 0.0
        await mesh.cp.delete(policy)


async def test_a_permission_may_name_a_service_by_its_server_name(mesh: Mesh) -> None:
    """Two names of one inbound: who calls it by the one is denied, by the other not."""
    urls = []
    for name in ("denied", "allowed"):
        await mesh.cp.put(both_versions(mesh, name))
        urls.append(await outbound_to(mesh, {"kind": "MeshService", "name": name, "port": 80}))
    server_name = {"type": "Exact", "value": resource_sni("denied", "default", "msvc", 80)}
    everybody = {"type": "Prefix", "value": "spiffe://default"}
    default = {"deny": [{"sni": server_name}], "allow": [{"spiffeID": everybody}]}
    policy = {
        "type": "MeshTrafficPermission",
        "mesh": "default",
        "name": "by-server-name",
        "spec": {"rules": [{"default": default}]},
    }

    async def ask() -> list[str]:
        return [await backend_at(mesh, url) for url in urls]

    await until(ask, ["v1", "v1"].__eq__)
    await mesh.cp.put(policy)
    try:
        await until(ask, ["403", "v1"].__eq__)
    finally:
        await mesh.cp.delete(policy)
    await until(ask, ["v1", "v1"].__eq__)


async def test_a_route_splits_between_ports_of_a_mesh_service(mesh: Mesh) -> None:
    await mesh.cp.put(both_versions(mesh, "split"))
    url = await outbound_to(mesh, {"kind": "MeshService", "name": "split", "port": 80})
    refs = [
        {"kind": "MeshService", "name": "split", "port": port, "weight": 1} for port in (80, 81)
    ]
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "default": {"backendRefs": refs},
    }
    target = {"kind": "MeshService", "name": "split", "sectionName": "v1"}
    route = {
        "type": "MeshHTTPRoute",
        "mesh": "default",
        "name": "half",
        "spec": {"to": [{"targetRef": target, "rules": [rule]}]},
    }
    await mesh.cp.put(route)
    try:

        async def ask() -> Counter[str]:
            return Counter([await backend_at(mesh, url) for _ in range(20)])

        await until(ask, lambda found: set(found) == {"v1", "v2"})
    finally:
        await mesh.cp.delete(route)


async def test_a_multi_zone_service_reaches_every_mesh_service_behind_it(mesh: Mesh) -> None:
    for version, document in ((each, both_versions(mesh, f"only-{each}")) for each in ("v1", "v2")):
        ports = [p for p in document["spec"]["ports"] if p["name"] == version]
        document["spec"]["ports"] = [{**ports[0], "port": 80}]
        await mesh.cp.put({**document, "labels": {"app": "api"}})
    multi_zone = {
        "type": "MeshMultiZoneService",
        "mesh": "default",
        "name": "everywhere",
        "spec": {
            "selector": {"meshService": {"matchLabels": {"app": "api"}}},
            "ports": [{"port": 80, "appProtocol": "http"}],
        },
    }
    await mesh.cp.put(multi_zone)
    target = {"kind": "MeshMultiZoneService", "name": "everywhere"}
    url = await outbound_to(mesh, {**target, "port": 80})

    async def ask() -> Counter[str]:
        return Counter([await backend_at(mesh, url) for _ in range(20)])

    await until(ask, lambda found: set(found) == {"v1", "v2"})
    path = "/meshes/default/meshmultizoneservices/everywhere"

    async def status() -> dict[str, Any]:
        return dict((await mesh.cp.rest.get(path)).json().get("status", {}))

    await until(status, lambda found: len(found.get("meshServices", [])) == 2)
    fault = {
        "type": "MeshTimeout",
        "mesh": "default",
        "name": "short-everywhere",
        "spec": {"to": [{"targetRef": target, "default": {"http": {"requestTimeout": "100ms"}}}]},
    }
    mesh.v1.delay = mesh.v2.delay = lambda _path: 0.4
    try:
        await mesh.cp.put(fault)
        await until(ask, lambda found: set(found) == {"504"})
    finally:
        mesh.v1.delay = mesh.v2.delay = lambda _path: 0.0
        await mesh.cp.delete(fault)

    await mesh.cp.rest.delete("/meshes/default/meshservices/only-v2")
    await until(ask, lambda found: set(found) == {"v1"})


async def test_a_route_sends_to_a_multi_zone_service(mesh: Mesh) -> None:
    await mesh.cp.put({**both_versions(mesh, "behind"), "labels": {"app": "behind"}})
    await mesh.cp.put(
        {
            "type": "MeshMultiZoneService",
            "mesh": "default",
            "name": "routed",
            "spec": {
                "selector": {"meshService": {"matchLabels": {"app": "behind"}}},
                "ports": [{"port": 81, "appProtocol": "http"}],
            },
        }
    )
    url = await outbound_to(mesh, {"kind": "MeshService", "name": "behind", "port": 80})
    assert await backend_at(mesh, url) == "v1"
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "default": {
            "backendRefs": [{"kind": "MeshMultiZoneService", "name": "routed", "port": 81}]
        },
    }
    route = {
        "type": "MeshHTTPRoute",
        "mesh": "default",
        "name": "over",
        "spec": {
            "to": [
                {
                    "targetRef": {"kind": "MeshService", "name": "behind", "sectionName": "v1"},
                    "rules": [rule],
                }
            ]
        },
    }
    await mesh.cp.put(route)
    try:

        async def ask() -> str:
            return await backend_at(mesh, url)

        await until(ask, lambda found: found == "v2")
    finally:
        await mesh.cp.delete(route)


async def test_without_meshservices_the_made_ones_go_and_the_others_stay(mesh: Mesh) -> None:
    await services_on(mesh)
    await mesh.cp.put(both_versions(mesh, "mine"))

    await mesh.cp.put(MTLS)

    async def ask() -> httpx.Response:
        return await mesh.cp.rest.get(SERVICE)

    await until(ask, lambda found: found.status_code == 404)
    assert (await mesh.cp.rest.get("/meshes/default/meshservices/mine")).is_success


async def test_an_outbound_and_a_route_reach_a_mesh_external_service(mesh: Mesh) -> None:
    async with a_backend("outside") as outside:
        spec = {
            "match": {"port": 80, "protocol": "http"},
            "endpoints": [{"address": "localhost", "port": outside.port}],
        }
        await mesh.cp.put(
            {"type": "MeshExternalService", "mesh": "default", "name": "far", "spec": spec}
        )
        url = await outbound_to(mesh, {"kind": "MeshExternalService", "name": "far"})

        assert await backend_at(mesh, url) == "outside"
        _, headers = outside.requests[-1]
        assert headers["host"] == "localhost"

        refs = [{"kind": "MeshExternalService", "name": "far"}]
        match = [{"path": {"type": "PathPrefix", "value": "/far"}}]
        rule = {"matches": match, "default": {"backendRefs": refs}}
        target = {"kind": "MeshService", "name": "api"}
        await mesh.cp.put(
            {
                "type": "MeshHTTPRoute",
                "mesh": "default",
                "name": "far",
                "spec": {"to": [{"targetRef": target, "rules": [rule]}]},
            }
        )

        async def ask() -> str:
            return await mesh.version("/far")

        await until(ask, lambda answer: answer == "outside")
        assert await mesh.version("/near") in {"v1", "v2"}
