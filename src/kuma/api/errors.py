"""What a request can fail with, and how the user is told: one table, one body.

ApiError
├── BadRequest            the request makes no sense
├── MalformedBody         the body is not the JSON object that it should be
├── InvalidPage           the page that was asked for cannot be
├── Unauthenticated       the credentials are wrong
├── AccessDenied          the caller may not do this
├── MethodNotAllowed      there is something at this path, but not for this method
├── NothingHere           there is nothing at this path, or not for this request
├── TooLarge              the body is longer than the limit
├── UnsupportedMediaType  the body is not JSON
├── UpstreamFailed        the proxy that was asked through the control plane did not answer
└── Failed                an error of any tree in the table, with the title of the step that failed

Source: reference 2.4, which follows https://kong-aip.netlify.app/aip/193/.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from starlette.responses import Response

from kuma.identity.errors import BadKeyPair, NoSigningKey
from kuma.kit.value import value
from kuma.resources.errors import (
    AlreadyExists,
    Conflict,
    InvalidResource,
    MeshNotFound,
    NotFound,
    Refused,
    ResourceError,
    Unavailable,
)
from kuma.resources.registry import UnknownKind
from kuma.resources.violation import MOST, Violation


class ApiError(Exception):
    """Root of the tree above. The text is the detail that the user reads."""


class BadRequest(ApiError):
    pass


class MalformedBody(ApiError):
    """The text says where."""


class InvalidPage(ApiError):
    """The text says why `size` is wrong."""


class Unauthenticated(ApiError):
    """`reason` goes to the log only: whoever guesses credentials learns nothing from the answer."""

    def __init__(self, reason: str) -> None:
        super().__init__("Unauthenticated")
        self.reason = reason


class AccessDenied(ApiError):
    pass


class MethodNotAllowed(ApiError):
    """`allowed` are the methods that there are, where the router knows."""

    def __init__(self, detail: str, *, allowed: tuple[str, ...] = ()) -> None:
        super().__init__(detail)
        self.allowed = allowed


class NothingHere(ApiError):
    pass


class TooLarge(ApiError):
    pass


class UnsupportedMediaType(ApiError):
    pass


class UpstreamFailed(ApiError):
    pass


class Failed(ApiError):
    """`cause` is what went wrong, `title` which step of the request it was."""

    def __init__(self, title: str, cause: Exception) -> None:
        super().__init__(str(cause))
        self.title = title
        self.cause = cause


@value
class Problem:
    """One answer to a request that failed."""

    status: int
    title: str
    detail: str
    violations: tuple[Violation, ...] = ()
    instance: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """`details` and `causes` repeat `detail` and `invalid_parameters` for older clients."""
        body: dict[str, Any] = {
            "type": "/std-errors",
            "status": self.status,
            "title": self.title,
            "detail": self.detail,
        }
        if self.instance:
            body["instance"] = self.instance
        if self.violations:
            body["invalid_parameters"] = [
                {"field": each.field, "reason": each.message} for each in self.violations
            ]
        body["details"] = self.detail
        if self.violations:
            body["causes"] = [
                {"field": each.field, "message": each.message} for each in self.violations
            ]
        return body

    def to_response(self) -> Response:
        return Response(
            json.dumps(self.to_json(), indent=1, ensure_ascii=False),
            status_code=self.status,
            headers=dict(self.headers),
            media_type="application/json",
        )


@value
class _Row:
    """How one class of errors is told. `title` is for errors that no step has titled;
    `fixed` titles stand whatever the step was."""

    error: type[Exception]
    status: int
    title: str
    fixed: bool = False
    detail: Callable[[Any], str] = str
    violations: Callable[[Any], tuple[Violation, ...]] = lambda _error: ()
    headers: Callable[[Any], tuple[tuple[str, str], ...]] = lambda _error: ()


def _of_error(error: InvalidResource | Refused) -> tuple[Violation, ...]:
    return error.violations


def _of_mesh(error: MeshNotFound) -> tuple[Violation, ...]:
    return (Violation("mesh", f"mesh of name {error.mesh} is not found"),)


def _of_size(error: InvalidPage) -> tuple[Violation, ...]:
    return (Violation("size", str(error)),)


def _allow(error: MethodNotAllowed) -> tuple[tuple[str, str], ...]:
    return (("allow", ", ".join(error.allowed)),) if error.allowed else ()


def _said(text: str) -> Callable[[Any], str]:
    return lambda _error: text


_PREFIXED = "bad request: {}".format

TABLE: tuple[_Row, ...] = (
    _Row(NotFound, 404, "Could not retrieve a resource", detail=_said("Not found")),
    _Row(NothingHere, 404, "Not found", detail=_said("Not found")),
    _Row(NoSigningKey, 404, "Signing Key not found", fixed=True),
    _Row(BadKeyPair, 400, "Could not use a key"),
    _Row(
        InvalidResource,
        400,
        "Could not process a resource",
        detail=_said("Resource is not valid"),
        violations=_of_error,
    ),
    _Row(
        Refused,
        400,
        "Could not process a resource",
        detail=_said("Resource is not valid"),
        violations=_of_error,
    ),
    _Row(
        MeshNotFound,
        400,
        "Failed to create a resource",
        detail=_said("Mesh is not found"),
        violations=_of_mesh,
    ),
    _Row(
        InvalidPage,
        400,
        "Could not retrieve resources",
        detail=_said("Invalid page size"),
        violations=_of_size,
    ),
    _Row(BadRequest, 400, "Bad Request", fixed=True, detail=_PREFIXED),
    _Row(MalformedBody, 400, "Bad Request", fixed=True),
    _Row(UnknownKind, 400, "Bad Request", fixed=True, detail=_PREFIXED),
    _Row(Unauthenticated, 401, "Invalid authentication data"),
    _Row(AccessDenied, 403, "Access Denied", fixed=True),
    _Row(MethodNotAllowed, 405, "Method not allowed", headers=_allow),
    _Row(AlreadyExists, 409, "Conflict", fixed=True),
    _Row(Conflict, 409, "Conflict", fixed=True),
    _Row(TooLarge, 413, "Request body is too large", fixed=True),
    _Row(UnsupportedMediaType, 415, "Unsupported media type", fixed=True),
    _Row(UpstreamFailed, 502, "Could not execute admin operation"),
    _Row(Unavailable, 503, "Service unavailable", fixed=True),
)
"""The first row whose class fits decides. Whatever fits none is a defect of ours: 500."""

REPORTED = (ResourceError, UnknownKind, BadKeyPair, NoSigningKey, ApiError)


@contextmanager
def titled(title: str) -> Iterator[None]:
    """What fails inside is shown under `title`, unless a step further inside has titled it."""
    try:
        yield
    except Failed:
        raise
    except REPORTED as error:
        raise Failed(title, error) from error


def find_problem(error: Exception) -> Problem | None:
    """How the user is told, or None for an error that nobody foresaw."""
    title, cause = (error.title, error.cause) if isinstance(error, Failed) else ("", error)
    row = next((row for row in TABLE if isinstance(cause, row.error)), None)
    if row is None:
        return None
    return Problem(
        row.status,
        row.title if row.fixed or not title else title,
        row.detail(cause),
        violations=_most(row.violations(cause)),
        headers=row.headers(cause),
    )


def _most(violations: tuple[Violation, ...]) -> tuple[Violation, ...]:
    rest = len(violations) - MOST
    return violations if rest <= 0 else (*violations[:MOST], Violation("", f"and {rest} more"))


STOPPING = Problem(503, "Service unavailable", "the control plane is shutting down")


def unexpected(instance: str) -> Problem:
    """`instance` finds the log line that says what happened."""
    return Problem(500, "Internal Server Error", "Internal Server Error", instance=instance)
