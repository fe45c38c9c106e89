"""Requests that cannot be served: each answer names what is wrong and where."""

from typing import Any

import httpx
import pytest

from kuma.api.body import MAX_BODY
from kuma.resources.replica import Replica
from tests.api.control_plane import ControlPlane
from tests.support.builders import a_dataplane

MESH = "/meshes/m-1"
JSON = {"content-type": "application/json"}
NAME_HINT = (
    "invalid characters. A lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
    "characters, '-' or '.', and must start and end with an alphanumeric character"
)


def _mesh(**fields: Any) -> dict[str, Any]:
    return {"type": "Mesh", "name": "m-1", **fields}


def _inbound(**fields: Any) -> dict[str, Any]:
    return {
        "type": "Dataplane",
        "mesh": "default",
        "name": "dp-1",
        "networking": {"address": "127.0.0.1", "inbound": [fields]},
    }


INVALID = [
    (MESH, _mesh(name="m-2"), [("name", "name from the URL has to be the same as in body")]),
    (MESH, _mesh(type="Zone"), [("type", "type from the URL has to be the same as in body")]),
    (
        MESH,
        {},
        [
            ("type", "type from the URL has to be the same as in body"),
            ("name", "name from the URL has to be the same as in body"),
            ("name", "cannot be empty"),
        ],
    ),
    ("/meshes/M_1", {"type": "Mesh", "name": "M_1"}, [("name", NAME_HINT)]),
    (MESH, _mesh(mtls=3), [("mtls", "must be an object")]),
    (MESH, _mesh(name=3), [("name", "must be a string")]),
    (MESH, _mesh(labels={"kuma.io/zone": "x"}), [("labels", "kuma.io/zone label should have")]),
    (MESH, _mesh(labels=[]), [("labels", "must be a map of strings to strings")]),
    (
        "/meshes/default/dataplanes/dp-1",
        _inbound(port=70000, tags={"kuma.io/service": "a"}),
        [("networking.inbound[0].port", "")],
    ),
    (
        "/meshes/default/dataplanes/dp-1",
        _inbound(port=80, tags={"version": "1"}),
        [('networking.inbound[0].tags["kuma.io/service"]', "tag has to exist")],
    ),
    (
        "/meshes/default/dataplanes/dp-1",
        _inbound(port=80, tag={"kuma.io/service": "a"}),
        [("networking.inbound[0].tag", "unknown field")],
    ),
    (
        "/meshes/default/meshtimeouts/mt-1",
        {"type": "MeshTimeout", "mesh": "other", "name": "mt-1", "spec": {}},
        [
            ("mesh", "mesh from the URL has to be the same as in body"),
            ("spec", "at least one of"),
        ],
    ),
]


@pytest.mark.parametrize(("path", "body", "expected"), INVALID)
async def test_every_violation_is_told_with_its_field(
    path: str, body: dict[str, Any], expected: list[tuple[str, str]], admin: httpx.AsyncClient
) -> None:
    answer = await admin.put(path, json=body)
    problem = answer.json()
    assert (answer.status_code, problem["title"], problem["detail"]) == (
        400,
        "Could not process a resource",
        "Resource is not valid",
    )
    told = [(each["field"], each["reason"]) for each in problem["invalid_parameters"]]
    for field, reason in expected:
        assert any(at.startswith(field) and why.startswith(reason) for at, why in told), told


BROKEN = [
    (b'{"type":"Mesh",', "malformed JSON: EOF while parsing a value at line 1 column 15"),
    (b'{"type":"Mesh"\n"name":1}', "malformed JSON: expected `,` or `}` at line 2 column 1"),
    (b"type: Mesh", "malformed JSON: expected ident at line 1 column 2"),
    (b"", "malformed JSON: EOF while parsing a value at line 1 column 0"),
    (b'{"a":NaN}', "malformed JSON: expected value at line 1 column 6"),
    (b"\xff\xfe", "malformed JSON: expected value at line 1 column 1"),
    (b'{"a":"\xff"}', "malformed JSON: invalid unicode code point at line 1 column 7"),
    (b"[]", "must be a JSON object, is an array"),
    (b'"x"', "must be a JSON object, is a string"),
    (b"null", "must be a JSON object, is null"),
    (b"1", "must be a JSON object, is a number"),
    (b"[" * 100_000, "malformed JSON: recursion limit exceeded at line 1 column 202"),
]


@pytest.mark.parametrize(("body", "detail"), BROKEN, ids=range(len(BROKEN)))
async def test_a_broken_body_is_told_with_its_position(
    body: bytes, detail: str, admin: httpx.AsyncClient
) -> None:
    answer = await admin.put(MESH, content=body, headers=JSON)
    problem = answer.json()
    assert (answer.status_code, problem["title"]) == (400, "Bad Request")
    assert problem["detail"] == f"invalid Mesh object: {detail}"


@pytest.mark.parametrize("media", ["", "text/plain", "application/yaml"])
async def test_only_json_is_read(media: str, admin: httpx.AsyncClient) -> None:
    answer = await admin.put(MESH, content=b"{}", headers={"content-type": media})
    assert answer.status_code == 415
    assert "application/json" in answer.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        _mesh(**{f"field-{number}": 1 for number in range(50_000)}),
        _mesh(labels={f"-{number}": "!" for number in range(50_000)}),
    ],
)
async def test_no_more_violations_are_told_than_a_person_reads(
    admin: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    answer = await admin.put(MESH, json=body)
    assert (answer.status_code, len(answer.json()["invalid_parameters"])) == (400, 100)


async def test_the_rest_of_many_violations_is_counted(admin: httpx.AsyncClient) -> None:
    rules = [{"matches": [{"path": {"type": "Exact", "value": "a"}}], "default": {}}] * 150
    to = [{"targetRef": {"kind": "MeshService", "name": "a"}, "rules": rules}]
    body = {"type": "MeshHTTPRoute", "mesh": "default", "name": "r", "spec": {"to": to}}
    answer = await admin.put("/meshes/default/meshhttproutes/r", json=body)
    found = answer.json()["invalid_parameters"]
    assert (len(found), found[-1]) == (101, {"field": "", "reason": "and 50 more"})


async def test_json_may_have_parameters(admin: httpx.AsyncClient) -> None:
    headers = {"content-type": "application/json; charset=utf-8"}
    answer = await admin.put(MESH, content=b'{"type":"Mesh","name":"m-1"}', headers=headers)
    assert answer.status_code == 201


async def test_a_body_that_announces_to_be_too_long_is_refused(admin: httpx.AsyncClient) -> None:
    answer = await admin.put(MESH, content=b" " * (MAX_BODY + 1), headers=JSON)
    assert (answer.status_code, answer.json()["title"]) == (413, "Request body is too large")
    assert answer.json()["detail"] == "the body must not be longer than 1 MiB"


async def test_a_body_that_turns_out_to_be_too_long_is_refused(admin: httpx.AsyncClient) -> None:
    async def endless() -> Any:
        for _ in range(MAX_BODY // 1024 + 2):
            yield b" " * 1024

    answer = await admin.put(MESH, content=endless(), headers=JSON)
    assert answer.status_code == 413


ELSEWHERE = [
    ("GET", "/nope", 404, "Not found"),
    ("GET", "/meshes/default/nope", 404, "Not found"),
    ("GET", "/meshes/default/nope/x", 404, "Not found"),
    ("GET", "/versions", 404, "Not found"),
    ("GET", "/docs/../../etc/passwd", 404, "Not found"),
    ("GET", "/docs/unknown.js", 404, "Not found"),
    ("POST", "/meshes", 405, "Method not allowed"),
    ("PATCH", "/meshes/default", 405, "Method not allowed"),
    ("GET", "/tokens/user", 405, "Method not allowed"),
    ("GET", "/meshes/none/dataplanes", 404, "Failed to retrieve Mesh"),
    ("GET", "/meshes/none/dataplanes/x", 404, "Failed to retrieve Mesh"),
    ("DELETE", "/meshes/none/dataplanes/x", 404, "Failed to retrieve Mesh"),
    ("GET", "/meshes/none/service-insights", 404, "Failed to retrieve Mesh"),
    ("GET", "/meshes/default/dataplanes/x", 404, "Could not retrieve a resource"),
    ("GET", "/meshes/default/dataplanes/x/_overview", 404, "Could not retrieve a resource"),
    ("GET", "/meshes/default/dataplanes/x/_rules", 404, "Could not retrieve Dataplane"),
    ("DELETE", "/meshes/none", 404, "Could not delete a resource"),
    ("GET", "/mesh-insights/none", 404, "Could not retrieve a resource"),
    ("GET", "/_kri/kri_dp_default___none_", 404, "Could not retrieve a resource"),
    ("GET", "/_kri/x", 400, "Bad Request"),
    ("GET", "/_kri/kri_xx_default___none_", 400, "Bad Request"),
    ("GET", "/meshes?offset=x", 400, "Bad Request"),
    ("GET", "/meshes?offset=-1", 400, "Bad Request"),
    ("GET", "/meshes?filter[name]=x", 400, "Could not retrieve resources"),
    ("GET", "/meshes?filter[labels.a]b=x", 400, "Could not retrieve resources"),
    ("GET", "/dataplanes?gateway=yes", 400, "Could not retrieve resources"),
    ("GET", "/service-insights?type=odd", 400, "Bad Request"),
    ("GET", "/meshes/default?format=xml", 400, "Could not retrieve a resource"),
]


@pytest.mark.parametrize(("method", "path", "status", "title"), ELSEWHERE)
async def test_what_cannot_be_answered_has_a_title(
    method: str, path: str, status: int, title: str, admin: httpx.AsyncClient
) -> None:
    answer = await admin.request(method, path)
    assert (answer.status_code, answer.json()["title"]) == (status, title)
    assert answer.json()["status"] == status


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        ("0", "must be greater than 0"),
        ("-1", "must be greater than 0"),
        ("1001", "invalid page size of 1001. Maximum page size is 1000"),
        ("9" * 30, f"invalid page size of {'9' * 30}. Maximum page size is 1000"),
        ("x", "invalid format"),
        ("1.5", "invalid format"),
        ("²", "invalid format"),
    ],
)
async def test_a_bad_page_size_is_explained(
    size: str, reason: str, admin: httpx.AsyncClient
) -> None:
    answer = await admin.get("/meshes", params={"size": size})
    problem = answer.json()
    assert (answer.status_code, problem["detail"]) == (400, "Invalid page size")
    assert problem["invalid_parameters"] == [{"field": "size", "reason": reason}]


async def test_a_put_into_a_mesh_that_is_not_there(admin: httpx.AsyncClient) -> None:
    body = {
        "type": "MeshTimeout",
        "mesh": "none",
        "name": "mt-1",
        "spec": {"to": [{"targetRef": {"kind": "Mesh"}, "default": {"idleTimeout": "1s"}}]},
    }
    answer = await admin.put("/meshes/none/meshtimeouts/mt-1", json=body)
    assert (answer.status_code, answer.json()["title"]) == (404, "Failed to retrieve Mesh")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/meshes", "GET, HEAD, OPTIONS"),
        ("/meshes/default", "DELETE, GET, HEAD, OPTIONS, PUT"),
        ("/mesh-insights/default", "GET, HEAD, OPTIONS"),
        ("/meshes/default/dataplane-insights/api", "GET, HEAD, OPTIONS"),
        ("/tokens/zone", "OPTIONS, POST"),
    ],
)
async def test_options_tells_the_methods(path: str, allowed: str, admin: httpx.AsyncClient) -> None:
    asked = await admin.options(path)
    assert (asked.status_code, asked.headers["allow"]) == (204, allowed)
    refused = await admin.patch(path)
    assert (refused.status_code, refused.headers["allow"]) == (405, allowed)


async def test_head_is_a_get_without_its_body(admin: httpx.AsyncClient) -> None:
    got, head = await admin.get("/meshes"), await admin.head("/meshes")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers == got.headers
    assert (await admin.head("/meshes/none")).status_code == 404


async def test_a_slash_at_the_end_says_nothing(admin: httpx.AsyncClient) -> None:
    assert (await admin.get("/meshes/")).json() == (await admin.get("/meshes")).json()


@pytest.mark.parametrize(
    "path",
    [
        "/meshes",
        "/meshes/default",
        "/dataplanes/_overview",
        "/service-insights",
        "/mesh-insights",
        "/global-insight",
        "/_kri/kri_m____default_",
        "/meshes/default/dataplanes/dp-1/_rules",
    ],
)
async def test_without_the_store_nothing_out_of_date_is_told(
    path: str, control_plane: ControlPlane, admin: httpx.AsyncClient
) -> None:
    await control_plane.add(a_dataplane("dp-1"))
    control_plane.replica.unavailable("PostgreSQL does not answer")
    answer = await admin.get(path)
    problem = answer.json()
    assert (answer.status_code, problem["title"]) == (503, "Service unavailable")
    assert problem["detail"] == "PostgreSQL does not answer"


async def test_writes_without_the_store_are_unavailable(
    control_plane: ControlPlane, admin: httpx.AsyncClient
) -> None:
    await control_plane.store.close()
    answer = await admin.put(MESH, json={"type": "Mesh", "name": "m-1"})
    assert (answer.status_code, answer.json()["title"]) == (503, "Service unavailable")
    assert (await admin.delete("/meshes/default")).status_code == 503


class _Broken(Replica):
    def check_available(self) -> None:
        raise KeyError("a-secret")


async def test_a_defect_is_answered_with_an_instance_and_nothing_else(
    control_plane: ControlPlane,
    admin: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(control_plane.replica, "check_available", _Broken().check_available)
    answer = await admin.get("/meshes")
    problem = answer.json()
    assert (answer.status_code, problem["detail"]) == (500, "Internal Server Error")
    assert "a-secret" not in answer.text
    logged = capsys.readouterr().out
    assert problem["instance"] in logged
    assert "a-secret" in logged


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (
            "/meshes/default/meshproxypatches/p",
            (
                '{"type": "MeshProxyPatch", "mesh": "default", "name": "p", "spec": {"default": '
                '{"appendModifications": [{"cluster": {"operation": "Patch", "jsonPatches": '
                '[{"op": "add", "path": "/a", "value": 1e400}]}}]}}}'
            ),
            "spec.default.appendModifications[0].cluster.jsonPatches[0].value",
        ),
        (
            "/meshes/default",
            (
                '{"type": "Mesh", "name": "default", "tracing": {"backends": [{"name": "a", '
                '"type": "zipkin", "conf": {"url": "http://a:1/b", "x": [1e400]}}]}}'
            ),
            "tracing.backends[0].conf",
        ),
    ],
)
async def test_numbers_that_json_cannot_say_are_refused(
    path: str, body: str, field: str, admin: httpx.AsyncClient
) -> None:
    """They are read as infinite, and what is shown would be no JSON any more."""
    answer = await admin.put(path, content=body, headers=JSON)
    assert answer.status_code == 400
    reason = "must not hold numbers that are not finite"
    assert {"field": field, "reason": reason} in answer.json()["invalid_parameters"]
