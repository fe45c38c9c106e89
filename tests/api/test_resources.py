"""Reading and writing resources of every kind."""

from typing import Any

import httpx
import pytest

from kuma.policies.catalogue import REGISTRY
from kuma.resources.kind import Kind
from kuma.resources.meta import ResourceKey
from tests.api.control_plane import ControlPlane, a_control_plane
from tests.support.builders import (
    a_dataplane,
    a_dataplane_insight,
    a_mesh,
    a_zone,
    an_external_service,
)

TIMEOUT = {
    "type": "MeshTimeout",
    "mesh": "default",
    "name": "mt-1",
    "spec": {
        "to": [{"targetRef": {"kind": "Mesh"}, "default": {"http": {"requestTimeout": "77s"}}}]
    },
}
TIMEOUT_PATH = "/meshes/default/meshtimeouts/mt-1"
READ_ONLY = [kind for kind in REGISTRY if kind.path and kind.read_only]
WRITABLE = [kind for kind in REGISTRY if kind.path and not kind.read_only]


def _path(kind: Kind[Any], name: str = "x") -> str:
    mesh = "/meshes/default" if kind.is_mesh_scoped else ""
    return f"{mesh}/{kind.path}/{name}"


async def test_a_put_creates_then_replaces(admin: httpx.AsyncClient) -> None:
    created = await admin.put(TIMEOUT_PATH, json=TIMEOUT)
    assert (created.status_code, created.json()) == (201, {})
    again = await admin.put(TIMEOUT_PATH, json=TIMEOUT)
    assert (again.status_code, again.json()) == (200, {})


async def test_what_was_put_is_shown_with_its_computed_labels(admin: httpx.AsyncClient) -> None:
    await admin.put(TIMEOUT_PATH, json=TIMEOUT)
    shown = await admin.get(TIMEOUT_PATH)
    assert shown.headers["content-type"] == "application/json"
    assert shown.json() == {
        "type": "MeshTimeout",
        "mesh": "default",
        "name": "mt-1",
        "creationTime": "2026-01-01T00:00:00Z",
        "modificationTime": "2026-01-01T00:00:00Z",
        "labels": {
            "kuma.io/env": "universal",
            "kuma.io/mesh": "default",
            "kuma.io/origin": "zone",
            "kuma.io/zone": "default",
        },
        "kri": "kri_mt_default_default__mt-1_",
        "spec": {
            "to": [
                {"targetRef": {"kind": "Mesh"}, "default": {"http": {"requestTimeout": "1m17s"}}}
            ]
        },
    }


async def test_what_is_shown_can_be_put_back(admin: httpx.AsyncClient) -> None:
    await admin.put(TIMEOUT_PATH, json=TIMEOUT)
    shown = (await admin.get(TIMEOUT_PATH)).json()
    assert (await admin.put(TIMEOUT_PATH, json=shown)).status_code == 200
    assert (await admin.get(TIMEOUT_PATH)).json() == shown


async def test_deprecations_come_back_as_warnings(admin: httpx.AsyncClient) -> None:
    answer = await admin.put("/zones/1-east", json={"type": "Zone", "name": "1-east"})
    assert answer.status_code == 201
    [warning] = answer.json()["warnings"]
    assert warning.startswith("Invalid Zone resource name: '1-east'.")


async def test_a_deleted_resource_is_gone(admin: httpx.AsyncClient) -> None:
    await admin.put(TIMEOUT_PATH, json=TIMEOUT)
    deleted = await admin.delete(TIMEOUT_PATH)
    assert (deleted.status_code, deleted.json()) == (200, {})
    assert (await admin.get(TIMEOUT_PATH)).status_code == 404
    assert (await admin.delete(TIMEOUT_PATH)).json()["title"] == "Could not delete a resource"


async def test_a_mesh_with_dataplanes_is_not_deleted(
    control_plane: ControlPlane, admin: httpx.AsyncClient
) -> None:
    await control_plane.add(a_dataplane())
    refused = await admin.delete("/meshes/default")
    assert refused.status_code == 400
    assert refused.json()["invalid_parameters"] == [
        {
            "field": "mesh",
            "reason": "unable to delete mesh, there are still some dataplanes attached",
        }
    ]


@pytest.mark.parametrize("kind", WRITABLE, ids=lambda kind: kind.name)
async def test_every_kind_can_be_listed_and_looked_for(
    kind: Kind[Any], admin: httpx.AsyncClient
) -> None:
    for path in (kind.path, *kind.aliases):
        answer = await admin.get(f"/{path}")
        assert answer.status_code == 200
        assert set(answer.json()) == {"total", "items", "next"}
    assert (await admin.get(_path(kind, "none"))).json()["detail"] == "Not found"


@pytest.mark.parametrize("kind", READ_ONLY, ids=lambda kind: kind.name)
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_kinds_of_the_control_plane_cannot_be_written(
    kind: Kind[Any], method: str, admin: httpx.AsyncClient
) -> None:
    answer = await admin.request(method, _path(kind), json={})
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"
    assert answer.json()["title"] == "Method not allowed"


async def test_nothing_can_be_written_where_the_api_is_read_only() -> None:
    async with a_control_plane({"apiServer": {"readOnly": True}}) as control_plane:
        await control_plane.add(a_mesh())
        async with control_plane.client() as admin:
            assert (await admin.get("/meshes/default")).status_code == 200
            refused = await admin.put(TIMEOUT_PATH, json=TIMEOUT)
            assert refused.status_code == 405
            assert "apiServer.readOnly" in refused.json()["detail"]
            assert (await admin.delete("/meshes/default")).status_code == 405
            kinds = (await admin.get("/_resources")).json()["resources"]
            assert all(kind["readOnly"] for kind in kinds)


@pytest.fixture
async def populated(control_plane: ControlPlane) -> ControlPlane:
    """Two meshes, a gateway, dataplanes of two services."""
    await control_plane.add(
        a_mesh("other"),
        a_dataplane("api-1", service="api", tags={"version": "1"}, labels={"team": "a"}),
        a_dataplane("api-2", service="api", tags={"version": "2"}, labels={"team": "b"}),
        a_dataplane("edge", gateway="edge"),
        a_dataplane("web-1", service="web", mesh="other"),
        an_external_service("httpbin", service="httpbin"),
        an_external_service("github", service="github", address="github.com:443"),
    )
    return control_plane


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/meshes", ["default", "other"]),
        ("/dataplanes", ["api-1", "api-2", "edge", "web-1"]),
        ("/meshes/default/dataplanes", ["api-1", "api-2", "edge"]),
        ("/meshes/other/dataplanes", ["web-1"]),
        ("/dataplanes?name=-1", ["api-1", "web-1"]),
        ("/dataplanes?filter[labels.team]=a", ["api-1"]),
        ("/dataplanes?filter[labels.team]=a&filter[labels.team2]=b", []),
        ("/dataplanes?filter=nonsense", ["api-1", "api-2", "edge", "web-1"]),
        ("/dataplanes?tag=kuma.io/service:ap", ["api-1", "api-2"]),
        ("/dataplanes?tag=kuma.io/service:ap&tag=version:2", ["api-2"]),
        ("/dataplanes?tag=version", ["api-1", "api-2", "edge", "web-1"]),
        ("/dataplanes?gateway=true", ["edge"]),
        ("/dataplanes?gateway=false", ["api-1", "api-2", "web-1"]),
        ("/dataplanes?gateway=delegated", ["edge"]),
        ("/dataplanes?gateway=BUILTIN", []),
        ("/external-services?tag=kuma.io/service:http", ["httpbin"]),
        ("/meshes/default/dataplanes/_overview?name=api", ["api-1", "api-2"]),
        ("/meshes/default/dataplanes+insights?gateway=true", ["edge"]),
        ("/dataplanes+insights", ["api-1", "api-2", "edge", "web-1"]),
        ("/dataplanes/_overview?size=2&offset=1", ["api-2", "edge"]),
    ],
)
async def test_lists_hold_what_is_asked_for(
    path: str, names: list[str], populated: ControlPlane
) -> None:
    async with populated.client() as admin:
        found = (await admin.get(path)).json()
    assert [item["name"] for item in found["items"]] == names


async def test_the_link_to_the_next_page_leads_through_the_whole_list(
    populated: ControlPlane,
) -> None:
    seen, link = [], "/dataplanes?size=3&name=-"
    async with populated.client() as admin:
        while link:
            page = (await admin.get(link)).json()
            assert page["total"] == 3
            seen += [item["name"] for item in page["items"]]
            link = page["next"]
        first = (await admin.get("/meshes/default/dataplanes?size=2&name=a")).json()
    assert seen == ["api-1", "api-2", "web-1"]
    assert first["next"] is None
    async with populated.client() as admin:
        first = (await admin.get("/meshes/default/dataplanes?size=1&name=a&tag=x%3Ay")).json()
    assert first == {"total": 0, "items": [], "next": None}


async def test_the_link_to_the_next_page_is_the_original_s(populated: ControlPlane) -> None:
    async with populated.client(host="mesh.example.com:5681") as client:
        page = (await client.get("/meshes/default/dataplanes?size=1&name=api")).json()
    expected = "http://mesh.example.com:5681/meshes/default/dataplanes?name=api&offset=1&size=1"
    assert page["next"] == expected


async def test_behind_a_proxy_the_link_begins_with_the_root_url() -> None:
    async with a_control_plane({"apiServer": {"rootUrl": "https://mesh.example.com/"}}) as behind:
        await behind.add(a_mesh("a"), a_mesh("b"))
        async with behind.client() as admin:
            page = (await admin.get("/meshes?size=1")).json()
    assert page["next"] == "https://mesh.example.com/meshes?offset=1&size=1"


async def test_an_overview_shows_the_insight_beside_the_dataplane(
    control_plane: ControlPlane, admin: httpx.AsyncClient
) -> None:
    await control_plane.add(a_dataplane("dp-1"), a_dataplane_insight("dp-1"))
    shown = (await admin.get("/meshes/default/dataplanes/dp-1/_overview")).json()
    assert shown["type"] == "DataplaneOverview"
    assert shown["kri"] == "kri_dp_default___dp-1_"
    assert shown["dataplane"]["networking"]["address"] == "127.0.0.1"
    [subscription] = shown["dataplaneInsight"]["subscriptions"]
    assert subscription["connectTime"] == "2026-01-01T00:00:00Z"
    [listed] = (await admin.get("/dataplanes/_overview")).json()["items"]
    assert listed == shown


async def test_an_overview_follows_the_insight(
    control_plane: ControlPlane, admin: httpx.AsyncClient
) -> None:
    await control_plane.add(a_dataplane("dp-1"))
    [before] = (await admin.get("/dataplanes/_overview")).json()["items"]
    assert "dataplaneInsight" not in before
    await control_plane.add(a_dataplane_insight("dp-1"))
    [after] = (await admin.get("/dataplanes/_overview")).json()["items"]
    assert "subscriptions" in after["dataplaneInsight"]


async def test_an_overview_without_an_insight_has_an_empty_one(
    control_plane: ControlPlane, admin: httpx.AsyncClient
) -> None:
    await control_plane.add(a_zone("east"))
    for path in ("/zones/east/_overview", "/zones+insights/east"):
        shown = (await admin.get(path)).json()
        assert (shown["zone"], shown["zoneInsight"]) == ({}, {})
    [listed] = (await admin.get("/zones/_overview")).json()["items"]
    assert "zoneInsight" not in listed


async def test_a_kubernetes_manifest_is_rendered_on_request(admin: httpx.AsyncClient) -> None:
    await admin.put(TIMEOUT_PATH, json={**TIMEOUT, "labels": {"team": "a"}})
    manifest = (await admin.get(f"{TIMEOUT_PATH}?format=k8s&namespace=mesh-system")).json()
    assert manifest == {
        "kind": "MeshTimeout",
        "apiVersion": "kuma.io/v1alpha1",
        "metadata": {
            "name": "mt-1",
            "namespace": "mesh-system",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"kuma.io/mesh": "default", "team": "a"},
        },
        "spec": {
            "to": [
                {"targetRef": {"kind": "Mesh"}, "default": {"http": {"requestTimeout": "1m17s"}}}
            ]
        },
    }


async def test_what_the_control_plane_computes_is_not_in_a_manifest(
    control_plane: ControlPlane, admin: httpx.AsyncClient
) -> None:
    document = (await _written_dataplane(admin)).json()
    assert document["labels"]["kuma.io/proxy-type"] == "sidecar"
    manifest = (await admin.get("/meshes/default/dataplanes/dp-1?format=k8s")).json()
    assert manifest["metadata"] == {
        "name": "dp-1",
        "namespace": "kuma-system",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }


async def _written_dataplane(admin: httpx.AsyncClient) -> httpx.Response:
    inbound = {"port": 80, "tags": {"kuma.io/service": "a"}}
    body = {
        "type": "Dataplane",
        "mesh": "default",
        "name": "dp-1",
        "networking": {"address": "127.0.0.1", "inbound": [inbound]},
    }
    await admin.put("/meshes/default/dataplanes/dp-1", json=body)
    return await admin.get("/meshes/default/dataplanes/dp-1")


async def test_older_kinds_have_the_mesh_beside_the_spec(
    control_plane: ControlPlane, admin: httpx.AsyncClient
) -> None:
    await control_plane.add(an_external_service("httpbin"))
    shown = await admin.get("/meshes/default/external-services/httpbin?format=kubernetes")
    manifest = shown.json()
    assert manifest["mesh"] == "default"
    assert manifest["metadata"] == {
        "name": "httpbin",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    assert set(manifest["spec"]) == {"networking", "tags"}


async def test_a_secret_becomes_one_of_kubernetes(admin: httpx.AsyncClient) -> None:
    body = {"type": "Secret", "mesh": "default", "name": "s-1", "data": "dGVzdA=="}
    await admin.put("/meshes/default/secrets/s-1", json=body)
    manifest = (await admin.get("/meshes/default/secrets/s-1?format=k8s")).json()
    assert (manifest["type"], manifest["apiVersion"]) == ("system.kuma.io/secret", "v1")
    assert manifest["data"] == {"value": "dGVzdA=="}
    assert manifest["metadata"]["namespace"] == "kuma-system"


async def test_global_secrets_have_two_paths(admin: httpx.AsyncClient) -> None:
    body = {"type": "GlobalSecret", "name": "g-1", "data": "dGVzdA=="}
    assert (await admin.put("/globalsecrets/g-1", json=body)).status_code == 201
    assert (await admin.get("/global-secrets/g-1")).json()["data"] == "dGVzdA=="


async def test_a_put_of_the_same_wakes_nobody(
    control_plane: ControlPlane, admin: httpx.AsyncClient
) -> None:
    await admin.put(TIMEOUT_PATH, json=TIMEOUT)
    woken: list[object] = []
    control_plane.replica.subscribe(woken.append)
    await admin.put(TIMEOUT_PATH, json=TIMEOUT)
    assert woken == []
    stored = control_plane.replica.find(ResourceKey("MeshTimeout", "default", "mt-1"))
    assert stored is not None
    assert stored.meta.version == 1
