"""MeshMultiZoneService, HostnameGenerator and Workload through the API, as Kuma 2.14.3 shows them."""

from typing import Any

import httpx
import pytest

from kuma.resources.kinds.workload import WORKLOAD, WorkloadProxies, WorkloadStatus
from kuma.resources.resource import Resource
from tests.api.control_plane import ControlPlane
from tests.support.builders import a_resource

MULTI_ZONE = {
    "type": "MeshMultiZoneService",
    "mesh": "default",
    "name": "all",
    "spec": {
        "selector": {"meshService": {"matchLabels": {"app": "api"}}},
        "ports": [
            {"name": "http", "port": 80, "appProtocol": "http"},
            {"port": 81, "appProtocol": "tcp"},
        ],
    },
}
GENERATOR = {
    "type": "HostnameGenerator",
    "name": "local",
    "spec": {
        "selector": {"meshService": {"matchLabels": {"kuma.io/origin": "zone"}}},
        "template": "{{ .DisplayName }}.svc.mesh.local",
    },
}
WORKLOAD_DOCUMENT = {"type": "Workload", "mesh": "default", "name": "shop", "spec": {}}
OF_ZONE = {"kuma.io/env": "universal", "kuma.io/origin": "zone", "kuma.io/zone": "default"}
IN_MESH = {"kuma.io/mesh": "default"}


@pytest.mark.parametrize(
    ("path", "document", "labels", "kri"),
    [
        (
            "/meshes/default/meshmultizoneservices/all",
            MULTI_ZONE,
            IN_MESH,
            "kri_mzsvc_default___all_",
        ),
        ("/hostnamegenerators/local", GENERATOR, OF_ZONE, "kri_hg__default__local_"),
        (
            "/meshes/default/workloads/shop",
            WORKLOAD_DOCUMENT,
            {**OF_ZONE, **IN_MESH},
            "kri_wl_default_default__shop_",
        ),
    ],
)
async def test_what_is_written_is_read(
    path: str, document: dict[str, Any], labels: dict[str, str], kri: str, admin: httpx.AsyncClient
) -> None:
    assert (await admin.put(path, json=document)).status_code == 201

    shown = (await admin.get(path)).json()

    assert shown["spec"] == document["spec"]
    assert (shown["labels"], shown["kri"]) == (labels, kri)
    assert (await admin.get(f"/_kri/{kri}")).json() == shown
    assert (await admin.put(path, json=shown)).status_code == 200
    assert (await admin.get(path)).json() == shown
    listed = (await admin.get(path.rpartition("/")[0])).json()
    assert [each["name"] for each in listed["items"]] == [document["name"]]
    assert (await admin.delete(path)).status_code == 200
    assert (await admin.get(path)).status_code == 404


async def test_the_server_names_of_a_multi_zone_service_are_shown(
    admin: httpx.AsyncClient,
) -> None:
    path = "/meshes/default/meshmultizoneservices/all"
    await admin.put(path, json=MULTI_ZONE)

    assert (await admin.get(path)).json()["snis"] == [
        {"port": 80, "sni": "sni.mzsvc.default.all.http"},
        {"port": 81, "sni": "sni.mzsvc.default.all.81"},
    ]


async def test_the_counts_of_a_workload_are_shown(
    control_plane: ControlPlane, admin: httpx.AsyncClient
) -> None:
    made = a_resource(WORKLOAD, "shop", {})
    status = WorkloadStatus(dataplane_proxies=WorkloadProxies(healthy=1, total=2))
    await control_plane.add(Resource(made.kind, made.meta, made.spec, status))

    shown = (await admin.get("/meshes/default/workloads/shop")).json()

    assert shown["status"] == {"dataplaneProxies": {"connected": 0, "healthy": 1, "total": 2}}


async def test_the_kinds_are_described(admin: httpx.AsyncClient) -> None:
    found = (await admin.get("/_resources")).json()["resources"]

    described = {each["name"]: each for each in found}
    expected = [
        ("HostnameGenerator", "hostnamegenerators", "Global", "hg", "Hostname Generator", True),
        (
            "MeshMultiZoneService",
            "meshmultizoneservices",
            "Mesh",
            "mzsvc",
            "Mesh Multi Zone Service",
            True,
        ),
        ("Workload", "workloads", "Mesh", "wl", "Workload", False),
    ]
    for name, path, scope, short, display, federated in expected:
        assert described[name] == {
            "name": name,
            "path": path,
            "scope": scope,
            "readOnly": False,
            "shortName": short,
            "singularDisplayName": display,
            "pluralDisplayName": f"{display}s",
            "includeInFederation": federated,
        }
