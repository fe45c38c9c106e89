"""What the inspector answers reaches the caller, with the right parameters and errors."""

from typing import Any

import httpx
import pytest

from kuma.resources.kinds.mesh_service import MESH_SERVICE
from tests.api.control_plane import ControlPlane
from tests.support.builders import a_dataplane, a_mesh, a_resource

DP = "/meshes/default/dataplanes/dp-1"
TIMEOUT = {
    "type": "MeshTimeout",
    "mesh": "default",
    "name": "mt-1",
    "spec": {"to": [{"targetRef": {"kind": "Mesh"}, "default": {"idleTimeout": "1s"}}]},
}
POLICY = "/meshes/default/meshtimeouts/mt-1"


@pytest.fixture
async def inspected(control_plane: ControlPlane) -> ControlPlane:
    await control_plane.add(
        a_dataplane("dp-1", labels={"team": "a"}),
        a_dataplane("dp-2", labels={"team": "a", "kuma.io/mesh": "default"}),
        a_dataplane("never-connected"),
    )
    async with control_plane.client() as admin:
        await admin.put(POLICY, json=TIMEOUT)
    return control_plane


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("_rules", {"asked": "rules", "mesh": "default", "name": "dp-1"}),
        ("policies", {"asked": "policies", "mesh": "default", "name": "dp-1"}),
        ("rules", {"asked": "attached rules", "mesh": "default", "name": "dp-1"}),
        ("_config", {"asked": "config", "shadow": False, "diff": False}),
        (
            "_config?shadow=true&include=diff",
            {"asked": "config", "shadow": True, "diff": True},
        ),
    ],
)
async def test_the_inspector_is_asked(
    path: str, expected: dict[str, Any], inspected: ControlPlane, admin: httpx.AsyncClient
) -> None:
    assert (await admin.get(f"{DP}/{path}")).json() == expected


@pytest.mark.parametrize(
    ("path", "text", "media"),
    [
        ("xds", "xds text False", "application/json"),
        ("xds?include_eds=true", "xds text True", "application/json"),
        ("stats", "stats text False", "text/plain"),
        ("stats?format=json", "stats json False", "application/json"),
        ("clusters?format=xml", "clusters text False", "text/plain"),
    ],
)
async def test_envoy_is_asked(
    path: str, text: str, media: str, inspected: ControlPlane, admin: httpx.AsyncClient
) -> None:
    answer = await admin.get(f"{DP}/{path}")
    assert answer.text == text
    assert answer.headers["content-type"].startswith(media)


async def test_a_proxy_that_does_not_answer_is_told(
    inspected: ControlPlane, admin: httpx.AsyncClient
) -> None:
    inspected.inspector.unreachable = True
    answer = await admin.get(f"{DP}/xds")
    problem = answer.json()
    assert (answer.status_code, problem["title"], problem["detail"]) == (
        502,
        "Could not execute admin operation",
        'dataplane "dp-1" is not connected',
    )


@pytest.mark.parametrize(
    ("path", "status", "title"),
    [
        ("dp-1/unknown", 404, "Not found"),
        ("none/xds", 404, "Could not get dataplane resource"),
        ("none/_rules", 404, "Could not retrieve Dataplane"),
        ("none/policies", 404, "Could not get MatchedPolicies"),
        ("none/_config", 404, "Failed to fetch dataplane insight"),
        ("never-connected/_config", 404, "Failed to fetch dataplane insight"),
        ("dp-1/_config?shadow=maybe", 400, "Bad Request"),
        ("dp-1/_config?include=all", 400, "Bad Request"),
    ],
)
async def test_what_cannot_be_inspected_is_explained(
    path: str, status: int, title: str, inspected: ControlPlane, admin: httpx.AsyncClient
) -> None:
    answer = await admin.get(f"/meshes/default/dataplanes/{path}")
    assert (answer.status_code, answer.json()["title"]) == (status, title)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("_layout", "_layout"),
        ("_policies", "_policies"),
        ("_inbounds/kri_x/_policies", "_policies"),
        ("_outbounds/kri_x/_policies", "_policies"),
        ("_outbounds/kri_x/_routes", "_policies"),
        ("_outbounds/kri_x/_routes/kri_y/_policies", "_policies"),
    ],
)
async def test_some_need_mesh_services(
    path: str, name: str, inspected: ControlPlane, admin: httpx.AsyncClient
) -> None:
    answer = await admin.get(f"{DP}/{path}")
    assert answer.status_code == 400
    assert answer.json()["detail"] == (
        f"bad request: can't use {name} endpoint without meshService enabled"
    )


DP_KRI = "kri_dp_default___dp-1"
SERVICE_KRI = "kri_msvc_default___api_80"
ROUTE_KRI = "kri_mhttpr_default___r_"


def _malformed(text: str) -> str:
    return f'bad request: invalid identifier string: "{text}"'


@pytest.fixture
async def exclusive(inspected: ControlPlane) -> ControlPlane:
    await inspected.add(
        a_mesh("exclusive", spec={"meshServices": {"mode": "Exclusive"}}),
        a_dataplane("dp-1", mesh="exclusive"),
    )
    return inspected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("_layout", {"asked": "layout", "name": "dp-1"}),
        ("_policies", {"asked": "proxy", "name": "dp-1"}),
        (
            f"_inbounds/{DP_KRI}_main/_policies",
            {"asked": "inbound", "kri": f"{DP_KRI}_main"},
        ),
        (
            f"_outbounds/{SERVICE_KRI}/_policies",
            {"asked": "outbound", "kri": SERVICE_KRI, "route": None},
        ),
        (f"_outbounds/{SERVICE_KRI}/_routes", {"asked": "routes", "kri": SERVICE_KRI}),
        (
            f"_outbounds/{SERVICE_KRI}/_routes/{ROUTE_KRI}/_policies",
            {"asked": "outbound", "kri": SERVICE_KRI, "route": ROUTE_KRI},
        ),
    ],
)
async def test_the_inspector_is_asked_for_parts(
    path: str, expected: dict[str, Any], exclusive: ControlPlane, admin: httpx.AsyncClient
) -> None:
    assert (await admin.get(f"/meshes/exclusive/dataplanes/dp-1/{path}")).json() == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("none/_layout", (404, "Failed to retrieve Dataplane", "Not found")),
        ("none/_policies", (404, "Could not retrieve Dataplane", "Not found")),
        (
            f"dp-1/_inbounds/{DP_KRI}_gone/_policies",
            (404, "Could not retrieve inbound", "Not found"),
        ),
        ("dp-1/_inbounds/main/_policies", (400, "Bad Request", _malformed("main"))),
        (
            "dp-1/_outbounds/kri_x_default___api_80/_routes",
            (400, "Bad Request", 'bad request: unknown short name of resource type: "x"'),
        ),
        (
            f"dp-1/_outbounds/{SERVICE_KRI}/_routes/r/_policies",
            (400, "Bad Request", _malformed("r")),
        ),
    ],
)
async def test_parts_that_are_not_there_are_explained(
    path: str, expected: tuple[int, str, str], exclusive: ControlPlane, admin: httpx.AsyncClient
) -> None:
    answer = await admin.get(f"/meshes/exclusive/dataplanes/{path}")
    problem = answer.json()
    assert (answer.status_code, problem["title"], problem["detail"]) == expected


async def test_the_dataplanes_of_a_policy_are_listed_by_page(
    inspected: ControlPlane, admin: httpx.AsyncClient
) -> None:
    page = (await admin.get(f"{POLICY}/_resources/dataplanes?name=dp-&size=1&offset=1")).json()
    assert page == {
        "total": 2,
        "items": [
            {
                "type": "Dataplane",
                "mesh": "default",
                "name": "dp-2",
                "labels": {"kuma.io/mesh": "default", "team": "a"},
            }
        ],
    }


async def test_the_older_form_names_them_as_well(
    inspected: ControlPlane, admin: httpx.AsyncClient
) -> None:
    found = (await admin.get(f"{POLICY}/dataplanes")).json()
    assert found["total"] == 3
    assert found["items"][0] == {
        "kind": "SidecarDataplane",
        "dataplane": {"mesh": "default", "name": "dp-1"},
        "attachments": [{"type": "dataplane"}],
    }


@pytest.mark.parametrize("path", ["_resources/dataplanes", "_dataplanes"])
async def test_the_dataplanes_behind_a_service_are_listed(
    path: str, inspected: ControlPlane, admin: httpx.AsyncClient
) -> None:
    spec = {"selector": {"dataplaneTags": {"kuma.io/service": "backend"}}, "ports": [{"port": 80}]}
    await inspected.add(a_resource(MESH_SERVICE, "api", spec))
    page = (await admin.get(f"/meshes/default/meshservices/api/{path}?size=1")).json()
    assert (page["total"], [each["name"] for each in page["items"]]) == (3, ["dp-1"])


async def test_a_policy_that_is_not_there_selects_nothing(
    inspected: ControlPlane, admin: httpx.AsyncClient
) -> None:
    for path in ("_resources/dataplanes", "dataplanes"):
        answer = await admin.get(f"/meshes/default/meshtimeouts/none/{path}")
        assert (answer.status_code, answer.json()["title"]) == (404, "Could not retrieve policy")
