"""One table from exceptions to answers."""

import pytest

from kuma.api.errors import (
    TABLE,
    AccessDenied,
    BadRequest,
    InvalidPage,
    MalformedBody,
    MethodNotAllowed,
    NothingHere,
    Problem,
    TooLarge,
    Unauthenticated,
    UnsupportedMediaType,
    UpstreamFailed,
    find_problem,
    titled,
    unexpected,
)
from kuma.identity.errors import BadKeyPair, NoSigningKey
from kuma.resources.errors import (
    AlreadyExists,
    Conflict,
    InvalidResource,
    MeshNotFound,
    NotFound,
    Refused,
    Unavailable,
)
from kuma.resources.meta import ResourceKey
from kuma.resources.registry import UnknownKind
from kuma.resources.violation import Violation

KEY = ResourceKey("Dataplane", "default", "dp-1")
WRONG = (Violation("spec.to[0].default", "must be set"),)

CASES = [
    (NotFound(KEY), 404, "Not found"),
    (NothingHere("/x"), 404, "Not found"),
    (NoSigningKey("no key"), 404, "no key"),
    (BadKeyPair("no PEM"), 400, "no PEM"),
    (InvalidResource(WRONG), 400, "Resource is not valid"),
    (Refused(WRONG), 400, "Resource is not valid"),
    (MeshNotFound("east"), 400, "Mesh is not found"),
    (InvalidPage("must be greater than 0"), 400, "Invalid page size"),
    (BadRequest("no sense"), 400, "bad request: no sense"),
    (MalformedBody("no JSON"), 400, "no JSON"),
    (UnknownKind("Foo", None), 400, 'bad request: unknown resource type "Foo"'),
    (Unauthenticated("the token expired"), 401, "Unauthenticated"),
    (AccessDenied("not you"), 403, "not you"),
    (MethodNotAllowed("not so"), 405, "not so"),
    (AlreadyExists(KEY), 409, 'Dataplane "dp-1" of mesh "default" already exists'),
    (
        Conflict(KEY),
        409,
        'Dataplane "dp-1" of mesh "default" was changed by someone else in the meantime',
    ),
    (TooLarge("2 MiB"), 413, "2 MiB"),
    (UnsupportedMediaType("JSON only"), 415, "JSON only"),
    (UpstreamFailed("not connected"), 502, "not connected"),
    (Unavailable("PostgreSQL does not answer"), 503, "PostgreSQL does not answer"),
]


@pytest.mark.parametrize(("error", "status", "detail"), CASES)
def test_each_error_has_its_status_and_detail(error: Exception, status: int, detail: str) -> None:
    problem = find_problem(error)
    assert problem is not None
    assert (problem.status, problem.detail) == (status, detail)
    assert problem.title


def test_every_row_of_the_table_is_covered_here() -> None:
    assert {row.error for row in TABLE} == {type(error) for error, _, _ in CASES}


def test_an_error_is_shown_under_the_title_of_the_innermost_step() -> None:
    with pytest.raises(Exception) as raised, titled("outer"), titled("inner"):
        raise NotFound(KEY)
    assert find_problem(raised.value) == Problem(404, "inner", "Not found")


@pytest.mark.parametrize("error", [AccessDenied("no"), Unavailable("down"), Conflict(KEY)])
def test_some_titles_stand_whatever_the_step(error: Exception) -> None:
    plain = find_problem(error)
    with pytest.raises(Exception) as raised, titled("Could not retrieve a resource"):
        raise error
    assert find_problem(raised.value) == plain


def test_the_body_says_everything_twice_for_older_clients() -> None:
    problem = find_problem(InvalidResource(WRONG))
    assert problem is not None
    assert problem.to_json() == {
        "type": "/std-errors",
        "status": 400,
        "title": "Could not process a resource",
        "detail": "Resource is not valid",
        "invalid_parameters": [{"field": "spec.to[0].default", "reason": "must be set"}],
        "details": "Resource is not valid",
        "causes": [{"field": "spec.to[0].default", "message": "must be set"}],
    }


def test_without_violations_there_are_no_parameters() -> None:
    problem = find_problem(MalformedBody("no JSON"))
    assert problem is not None
    assert problem.to_json() == {
        "type": "/std-errors",
        "status": 400,
        "title": "Bad Request",
        "detail": "no JSON",
        "details": "no JSON",
    }


def test_a_missing_mesh_names_the_field() -> None:
    problem = find_problem(MeshNotFound("east"))
    assert problem is not None
    assert problem.violations == (Violation("mesh", "mesh of name east is not found"),)


def test_what_nobody_foresaw_is_not_told() -> None:
    assert find_problem(KeyError("secret")) is None
    assert unexpected("f00").to_json() == {
        "type": "/std-errors",
        "status": 500,
        "title": "Internal Server Error",
        "detail": "Internal Server Error",
        "instance": "f00",
        "details": "Internal Server Error",
    }
