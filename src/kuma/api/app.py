"""The REST API as one ASGI application: every route, and the layers that all requests pass.

    deps  ->  endpoints of each module  ->  FastAPI  ->  layers (see `edge`)

Handlers take the request and give the response themselves: documents are bytes already, and models
on the way out would cost more than all the rest.
"""

import re
from collections.abc import Iterator

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match

from kuma.api.access import Access
from kuma.api.authentication import (
    Authentication,
    Authenticator,
    by_client_certificate,
    by_localhost,
    by_user_token,
)
from kuma.api.control_plane_routes import ControlPlaneRoutes
from kuma.api.dependencies import ApiDependencies
from kuma.api.documentation import add_documentation
from kuma.api.edge import Failsafe, Wire
from kuma.api.errors import REPORTED, MethodNotAllowed, NothingHere, find_problem
from kuma.api.hostname_routes import HostnameRoutes
from kuma.api.insight_routes import InsightRoutes
from kuma.api.inspection_routes import InspectionRoutes
from kuma.api.observability import Observation, RequestMetrics
from kuma.api.part_routes import PartRoutes
from kuma.api.resource_routes import ResourceRoutes
from kuma.api.routing import Endpoint, add_endpoints
from kuma.api.token_routes import TokenRoutes
from kuma.config.servers import ApiServer
from kuma.resources.kinds.mesh_insight import MESH_INSIGHT
from kuma.resources.kinds.service_insight import SERVICE_INSIGHT

_COMPUTED = (MESH_INSIGHT, SERVICE_INSIGHT)


def build_api(deps: ApiDependencies) -> FastAPI:
    base = base_path_of(deps.settings.api_server)
    app = FastAPI(
        title="Kuma API",
        version=deps.facts.version,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=list(_layers(deps, base)),
    )
    add_endpoints(app, _endpoints(deps), base=base)
    add_documentation(app, deps, base)
    for error in (*REPORTED, HTTPException):
        app.add_exception_handler(error, _answer_error)
    return app


def base_path_of(settings: ApiServer) -> str:
    """As a prefix: empty, or with a slash in front and none behind."""
    trimmed = settings.base_path.strip("/")
    return f"/{trimmed}" if trimmed else ""


def _endpoints(deps: ApiDependencies) -> Iterator[Endpoint]:
    access = Access(deps.settings.access.static)
    yield from ControlPlaneRoutes(deps, access).endpoints()
    yield from InsightRoutes(deps, access).endpoints()
    for kind in deps.registry:
        if kind.path and kind not in _COMPUTED:
            yield from ResourceRoutes(deps, access, kind).endpoints()
    yield from TokenRoutes(deps, access).endpoints()
    yield from HostnameRoutes(deps).endpoints()
    yield from PartRoutes(deps).endpoints()
    yield from InspectionRoutes(deps, access).endpoints()


def _layers(deps: ApiDependencies, base: str) -> Iterator[Middleware]:
    """From the outermost to the innermost."""
    settings = deps.settings.api_server
    yield Middleware(Wire)
    yield Middleware(Observation, metrics=RequestMetrics(deps.metrics))
    yield Middleware(Failsafe)
    if settings.cors_allowed_domains:
        yield Middleware(
            CORSMiddleware,
            allow_origin_regex=_any_of(settings.cors_allowed_domains),
            allow_methods=["GET", "PUT", "POST", "DELETE"],
            allow_headers=["*"],
        )
    yield Middleware(
        Authentication,
        authenticators=tuple(_authenticators(deps)),
        open_paths=frozenset({base or "/"}),
    )


def _authenticators(deps: ApiDependencies) -> Iterator[Authenticator]:
    authn = deps.settings.api_server.authn
    if authn.localhost_is_admin:
        yield by_localhost
    if authn.type == "tokens":
        yield by_user_token(deps.validator)
    else:
        yield by_client_certificate


def _any_of(domains: tuple[str, ...]) -> str:
    """Each is a regular expression, as in Kuma; one that is not is taken literally."""
    return "|".join(f"(?:{_pattern(domain)})" for domain in domains)


def _pattern(domain: str) -> str:
    try:
        re.compile(domain)
    except re.error:
        return re.escape(domain)
    return domain


async def _answer_error(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        error = _from_router(request, error)
    if request.method == "OPTIONS" and isinstance(error, MethodNotAllowed):
        return Response(status_code=204, headers={"allow": ", ".join(error.allowed)})
    problem = find_problem(error)
    assert problem is not None
    return problem.to_response()


def _from_router(request: Request, error: HTTPException) -> Exception:
    """The router knows two errors: no such path, and a path without this method."""
    allowed = _allowed_methods(request)
    if error.status_code == 405 and allowed:
        return MethodNotAllowed(f"{request.method} is not possible here", allowed=allowed)
    return NothingHere(request.url.path)


def _allowed_methods(request: Request) -> tuple[str, ...]:
    """Of all routes at this path, since each route has one method; not those that only refuse."""
    app: FastAPI = request.app
    found: set[str] = set()
    for route in app.routes:
        match, _ = route.matches(request.scope)
        if match is not Match.NONE and not _is_refusal(route):
            found |= getattr(route, "methods", None) or set()
    if "GET" in found:
        found.add("HEAD")
    return tuple(sorted(found | {"OPTIONS"})) if found else ()


def _is_refusal(route: BaseRoute) -> bool:
    answer = getattr(route, "endpoint", None)
    return getattr(answer, "__func__", None) is ResourceRoutes.refuse_write
