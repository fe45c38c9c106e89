"""An endpoint: where it is, what it does, and how it is described, in one value.

The modules of routes return endpoints; `app` registers them and derives the API's description.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

Answer = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Endpoint:
    """`path` has its parameters in braces. `operation` is merged into its OpenAPI operation."""

    method: str
    path: str
    answer: Answer
    summary: str
    tag: str
    operation: Mapping[str, Any] = field(default_factory=dict)
    is_listed: bool = True
    """Whether the API's description shows it; older names of the same thing are not shown."""


def add_endpoints(app: FastAPI, endpoints: Iterable[Endpoint], *, base: str) -> None:
    """In order: of two paths that match, the first wins. `base` goes before every path."""
    for each in endpoints:
        app.add_api_route(
            f"{base}{each.path}".rstrip("/") or "/",
            each.answer,
            methods=[each.method],
            summary=each.summary,
            tags=[each.tag],
            operation_id=_operation_id(each),
            response_class=Response,
            response_model=None,
            openapi_extra=dict(each.operation),
            include_in_schema=each.is_listed,
        )


def _operation_id(endpoint: Endpoint) -> str:
    words = "".join(char if char.isalnum() else " " for char in endpoint.path).split()
    return "-".join([endpoint.method.lower(), *words]) if words else endpoint.method.lower()
