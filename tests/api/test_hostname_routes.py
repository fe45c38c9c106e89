"""The names of services through the API."""

from typing import Any

import pytest

from kuma.resources.kinds.hostname_generator import HOSTNAME_GENERATOR
from kuma.resources.kinds.mesh_external_service import MESH_EXTERNAL_SERVICE
from kuma.resources.kinds.mesh_multi_zone_service import MESH_MULTI_ZONE_SERVICE
from kuma.resources.kinds.mesh_service import MESH_SERVICE
from kuma.resources.resource import AnyResource
from tests.api.control_plane import ControlPlane
from tests.support.builders import a_resource

KINDS = '"meshservices,meshexternalservices,meshmultizoneservices"'


def a_generator(name: str, template: str, selector: str = "meshService") -> AnyResource:
    spec = {"selector": {selector: {}}, "template": template}
    return a_resource(HOSTNAME_GENERATOR, name, spec)


@pytest.fixture
async def named(control_plane: ControlPlane) -> ControlPlane:
    multi_zone = {"selector": {"meshService": {"matchLabels": {"a": "b"}}}, "ports": [{"port": 80}]}
    await control_plane.add(
        a_generator("b", "{{ .DisplayName }}.b"),
        a_generator("a", "{{ .DisplayName }}.a"),
        a_generator("same", "{{ .DisplayName }}.a"),
        a_generator("not-this-one", '{{ label "nobody" }}'),
        a_generator("zones", "{{ .Name }}.{{ .Zone }}", "meshMultiZoneService"),
        a_resource(MESH_SERVICE, "api", {}, labels={"kuma.io/zone": "east"}),
        a_resource(MESH_EXTERNAL_SERVICE, "far", {"match": {"port": 80}}),
        a_resource(MESH_MULTI_ZONE_SERVICE, "all", multi_zone),
    )
    return control_plane


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("meshservices/api", [("api.a", "east"), ("api.b", "east")]),
        ("meshexternalservices/far", []),
        ("meshmultizoneservices/all", [("all.default", "default")]),
    ],
)
async def test_a_service_has_the_names_of_the_generators_that_select_it(
    path: str, expected: list[tuple[str, str]], named: ControlPlane
) -> None:
    async with named.client() as admin:
        answer = await admin.get(f"/meshes/default/{path}/_hostnames")

    items = [{"hostname": name, "zones": [{"name": zone}]} for name, zone in expected]
    assert answer.json() == {"total": len(items), "items": items}


@pytest.mark.parametrize(
    ("path", "status", "title"),
    [
        ("meshes/default/meshservices/gone", 404, "could not retrieve service"),
        ("meshes/gone/meshservices/api", 404, "Failed to retrieve Mesh"),
        (
            "meshes/default/meshtimeouts/api",
            400,
            f"bad request: only {KINDS} are available for inspection",
        ),
    ],
)
async def test_what_has_no_names_is_said(
    path: str, status: int, title: str, named: ControlPlane
) -> None:
    async with named.client() as admin:
        answer = await admin.get(f"/{path}/_hostnames")
    found: dict[str, Any] = answer.json()

    assert (answer.status_code, found["status"]) == (status, status)
    assert title in {found["title"], found["detail"]}
