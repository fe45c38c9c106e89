"""MeshInsight and ServiceInsight through the API."""

import httpx
import pytest

from tests.api.control_plane import ControlPlane
from tests.support.builders import a_dataplane, a_mesh, an_external_service


@pytest.fixture
async def busy(control_plane: ControlPlane) -> ControlPlane:
    await control_plane.add(
        a_mesh("other"),
        a_dataplane("api-1", service="api"),
        a_dataplane("web-1", service="web"),
        a_dataplane("web-2", service="web", mesh="other"),
        an_external_service("httpbin", service="httpbin"),
    )
    return control_plane


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/mesh-insights", ["default", "other"]),
        ("/mesh-insights?name=oth", ["other"]),
        ("/mesh-insights?size=1&offset=1", ["other"]),
        ("/service-insights", ["api", "httpbin", "web", "web"]),
        ("/meshes/default/service-insights", ["api", "httpbin", "web"]),
        ("/meshes/default/service-insights?name=w", ["web"]),
        ("/meshes/default/service-insights?type=external", ["httpbin"]),
        ("/meshes/default/service-insights?type=Internal, external", ["api", "httpbin", "web"]),
        ("/meshes/default/service-insights?size=1&offset=1", ["httpbin"]),
        ("/service-insights?size=2&offset=4", []),
    ],
)
async def test_insights_are_listed(path: str, names: list[str], busy: ControlPlane) -> None:
    async with busy.client() as admin:
        found = (await admin.get(path)).json()
    assert [each["name"] for each in found["items"]] == names


async def test_pages_are_linked(busy: ControlPlane, admin: httpx.AsyncClient) -> None:
    page = (await admin.get("/meshes/default/service-insights?size=2")).json()
    assert page["total"] == 3
    assert page["next"] == ("http://localhost:5681/meshes/default/service-insights?offset=2&size=2")


async def test_one_insight_is_shown(busy: ControlPlane, admin: httpx.AsyncClient) -> None:
    mesh = (await admin.get("/mesh-insights/default")).json()
    assert (mesh["type"], mesh["dataplanes"]) == ("MeshInsight", {"total": 2, "offline": 2})
    service = (await admin.get("/meshes/default/service-insights/api")).json()
    assert (service["status"], service["addressPort"]) == ("offline", "api.mesh:80")
    manifest = (await admin.get("/mesh-insights/default?format=k8s")).json()
    assert (manifest["kind"], manifest["spec"]["dataplanes"]["total"]) == ("MeshInsight", 2)


async def test_a_service_that_nobody_offers_has_no_proxies(admin: httpx.AsyncClient) -> None:
    shown = (await admin.get("/meshes/default/service-insights/none")).json()
    assert (shown["name"], shown["dataplanes"]) == ("none", {})
    assert shown["addressPort"] == "none.mesh:80"
