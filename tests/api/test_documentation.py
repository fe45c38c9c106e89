"""The API's description, and the page that shows it without the internet."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from kuma.policies.catalogue import REGISTRY

METHODS = {"get", "put", "post", "delete"}


@pytest.fixture
async def described(admin: httpx.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = (await admin.get("/openapi.json")).json()
    return found


def _refs(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        for key, each in part.items():
            if key == "$ref":
                yield each
            else:
                yield from _refs(each)
    elif isinstance(part, list):
        for each in part:
            yield from _refs(each)


def _operations(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in described["paths"].items():
        for method in METHODS & set(item):
            yield method, path, item[method]


async def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    known = {f"#/components/schemas/{name}" for name in described["components"]["schemas"]}
    assert set(_refs(described)) <= known


async def test_every_kind_has_a_complete_schema(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    for kind in REGISTRY:
        if not kind.path:
            continue
        schema = schemas[kind.name]
        assert schema["properties"]["type"] == {"type": "string", "const": kind.name}
        fields = {field.alias for field in kind.spec.model_fields.values()}
        place = schema if kind.spec_at_root else _resolve(schemas, schema["properties"]["spec"])
        assert fields <= set(place["properties"])
        assert schemas[f"{kind.name}List"]["required"] == ["total", "items", "next"]


def _resolve(schemas: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = schemas[schema["$ref"].rpartition("/")[2]]
    return found


async def test_every_operation_has_its_own_id_and_says_how_it_fails(
    described: dict[str, Any],
) -> None:
    operations = list(_operations(described))
    ids = [operation["operationId"] for _, _, operation in operations]
    assert len(ids) == len(set(ids)) > 80
    for _, path, operation in operations:
        assert operation["summary"]
        assert "default" in operation["responses"], path


async def test_every_parameter_of_a_path_is_described(described: dict[str, Any]) -> None:
    for path, item in described["paths"].items():
        named = [each["name"] for each in item.get("parameters", ())]
        assert named == re.findall(r"{(\w+)}", path)


async def test_what_is_written_is_described(described: dict[str, Any]) -> None:
    put = described["paths"]["/meshes/{mesh}/meshtimeouts/{name}"]["put"]
    schema = put["requestBody"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/MeshTimeout"}
    assert set(put["responses"]) == {"200", "201", "default"}
    assert "put" not in described["paths"]["/mesh-insights/{name}"]
    issue = described["paths"]["/tokens/dataplane"]["post"]
    assert "text/plain" in issue["responses"]["200"]["content"]


async def test_settings_and_the_kind_config_are_told_apart(described: dict[str, Any]) -> None:
    answer = described["paths"]["/config"]["get"]["responses"]["200"]
    assert answer["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/Settings"
    }
    assert described["components"]["schemas"]["Settings"]["additionalProperties"] is True


async def test_older_paths_are_not_described(described: dict[str, Any]) -> None:
    assert not [path for path in described["paths"] if "+insights" in path]
    assert "/globalsecrets" not in described["paths"]


async def test_the_page_loads_nothing_from_elsewhere(admin: httpx.AsyncClient) -> None:
    page = await admin.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert '"validatorUrl": null' in page.text
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(links) == 3
    for link in links:
        assert (await admin.get(link)).status_code == 200


async def test_the_page_s_script_is_swagger_ui(admin: httpx.AsyncClient) -> None:
    script = await admin.get("/docs/swagger-ui-bundle.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert "SwaggerUIBundle" in script.text
