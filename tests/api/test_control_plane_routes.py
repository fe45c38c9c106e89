"""What the control plane says of itself."""

import httpx
import pytest

from tests.api.control_plane import STRANGER, ControlPlane, a_control_plane
from tests.support.builders import a_dataplane, a_mesh


async def test_the_index_says_who_answers(admin: httpx.AsyncClient) -> None:
    assert (await admin.get("/")).json() == {
        "hostname": "host-1",
        "product": "Kuma",
        "version": "2.14.3",
        "instanceId": "host-1-ab12",
        "clusterId": "c-1",
        "gui": "/gui",
    }


async def test_policies_are_described_for_kumactl(admin: httpx.AsyncClient) -> None:
    described = {each["name"]: each for each in (await admin.get("/policies")).json()["policies"]}
    assert list(described) == sorted(described)
    assert described["MeshRetry"] == {
        "name": "MeshRetry",
        "readOnly": False,
        "path": "meshretries",
        "singularDisplayName": "Mesh Retry",
        "pluralDisplayName": "Mesh Retries",
        "isExperimental": False,
        "isTargetRefBased": True,
        "isInbound": False,
        "isOutbound": True,
    }
    assert described["MeshHTTPRoute"]["singularDisplayName"] == "Mesh HTTP Route"


async def test_all_kinds_are_described(admin: httpx.AsyncClient) -> None:
    found = (await admin.get("/_resources")).json()["resources"]
    described = {each["name"]: each for each in found}
    assert described["Dataplane"] == {
        "includeInFederation": False,
        "name": "Dataplane",
        "path": "dataplanes",
        "pluralDisplayName": "Dataplanes",
        "readOnly": False,
        "scope": "Mesh",
        "shortName": "dp",
        "singularDisplayName": "Dataplane",
    }
    assert described["MeshInsight"]["readOnly"]
    assert described["ExternalService"]["singularDisplayName"] == "External Service"
    assert described["MeshTimeout"]["policy"] == {
        "hasFromTargetRef": True,
        "hasRulesTargetRef": True,
        "hasToTargetRef": True,
        "isFromAsRules": True,
        "isTargetRef": True,
    }
    assert "DataplaneOverview" not in described


async def test_the_settings_are_shown_without_their_secrets() -> None:
    settings = {"store": {"postgres": {"password": "s3cr3t"}}}
    async with a_control_plane(settings) as control_plane, control_plane.client() as admin:
        shown = await admin.get("/config")
    assert shown.json()["store"]["postgres"]["password"] == "*****"
    assert "s3cr3t" not in shown.text


async def test_counts_are_of_this_moment(
    control_plane: ControlPlane, admin: httpx.AsyncClient
) -> None:
    await control_plane.add(a_mesh("other"), a_dataplane())
    counted = (await admin.get("/global-insight")).json()
    assert counted["meshes"] == {"total": 2}
    assert counted["dataplanes"]["standard"]["offline"] == 1
    assert (await admin.get("/global-insights")).json() == {
        "type": "GlobalInsights",
        "creationTime": "2026-01-01T00:00:00Z",
        "resources": {
            "GlobalSecret": {"total": 0},
            "HostnameGenerator": {"total": 0},
            "Mesh": {"total": 2},
            "Zone": {"total": 0},
        },
    }


async def test_a_kri_names_its_resource(
    control_plane: ControlPlane, admin: httpx.AsyncClient
) -> None:
    await control_plane.add(a_dataplane("dp-1", labels={"kuma.io/zone": "east"}))
    for kri in (
        "kri_dp_default_east__dp-1_",
        "kri_dp_default_east__dp-1_8080",
        "kri_m____default_",
    ):
        shown = (await admin.get(f"/_kri/{kri}")).json()
        assert shown["kri"] == kri.removesuffix("8080")
    manifest = (await admin.get("/_kri/kri_m____default_?format=k8s")).json()
    assert manifest["kind"] == "Mesh"


async def test_a_malformed_kri_is_explained(admin: httpx.AsyncClient) -> None:
    answer = await admin.get("/_kri/x")
    assert answer.json()["detail"] == 'bad request: invalid identifier string: "x"'
    answer = await admin.get("/_kri/kri_xx_default___dp-1_")
    assert answer.json()["detail"] == 'bad request: unknown short name of resource type: "xx"'


@pytest.mark.parametrize("base", ["/kuma", "/kuma/", "kuma"])
async def test_everything_moves_below_the_base_path(base: str) -> None:
    async with a_control_plane({"apiServer": {"basePath": base}}) as control_plane:
        await control_plane.add(a_mesh(), a_mesh("other"))
        async with control_plane.client() as admin:
            assert (await admin.get("/kuma")).json()["product"] == "Kuma"
            assert (await admin.get("/kuma/")).json()["product"] == "Kuma"
            page = (await admin.get("/kuma/meshes?size=1")).json()
            assert page["next"] == "http://localhost:5681/kuma/meshes?offset=1&size=1"
            assert "/kuma/openapi.json" in (await admin.get("/kuma/docs")).text
            assert (await admin.get("/meshes")).status_code == 404
            assert (await admin.post("/kuma/tokens/zone", json={})).status_code == 400


async def test_pages_of_other_domains_may_call_only_where_allowed() -> None:
    settings = {"apiServer": {"corsAllowedDomains": ["http://ui.example.com", r"https://.*\.dev"]}}
    asked = {"access-control-request-method": "PUT", "access-control-request-headers": "x-a"}
    async with (
        a_control_plane(settings) as control_plane,
        control_plane.client(peer=STRANGER) as client,
    ):
        for origin in ("http://ui.example.com", "https://a.dev"):
            answer = await client.get("/", headers={"origin": origin})
            assert answer.headers["access-control-allow-origin"] == origin
            preflight = await client.options("/meshes/x", headers={"origin": origin, **asked})
            assert preflight.status_code == 200
            assert "PUT" in preflight.headers["access-control-allow-methods"]
        for origin in ("http://ui.example.com.evil.com", "https://evil.com"):
            answer = await client.get("/", headers={"origin": origin})
            assert "access-control-allow-origin" not in answer.headers


async def test_by_default_no_other_domain_may(admin: httpx.AsyncClient) -> None:
    answer = await admin.get("/", headers={"origin": "http://ui.example.com"})
    assert "access-control-allow-origin" not in answer.headers
