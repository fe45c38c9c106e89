"""The API's description at `/openapi.json`, and Swagger UI at `/docs`, which needs no internet.

Swagger UI's files come from the distribution `fastapi-swagger`.
"""

import asyncio
from functools import cache
from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from starlette.requests import Request
from starlette.responses import Response

from kuma.api.answers import document_answer, text_answer, to_bytes
from kuma.api.dependencies import ApiDependencies
from kuma.api.errors import NothingHere
from kuma.api.operations import path_parameters
from kuma.api.schemas import build_schemas

_FILES = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}
_DESCRIPTION = """\
The REST API of the control plane: resources, what the control plane makes of them, and tokens.

`PUT` creates or replaces. Errors have one form, `Error`. From this machine no credentials are
needed; from elsewhere send `Authorization: Bearer <user token>`.
"""
_SECURITY = {"userToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}


def add_documentation(app: FastAPI, deps: ApiDependencies, base: str) -> None:
    """`base` is the prefix of all routes."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = build_description(app, deps)
        return app.openapi_schema

    @cache
    def render() -> bytes:
        return to_bytes(describe())

    async def openapi(request: Request) -> Response:
        """In a thread, since the first time takes longer than others should wait."""
        return document_answer(await asyncio.to_thread(render))

    async def docs(request: Request) -> Response:
        page = get_swagger_ui_html(
            openapi_url=f"{base}/openapi.json",
            title=app.title,
            swagger_js_url=f"{base}/docs/swagger-ui-bundle.js",
            swagger_css_url=f"{base}/docs/swagger-ui.css",
            swagger_favicon_url=f"{base}/docs/favicon-32x32.png",
            swagger_ui_parameters={
                "docExpansion": "none",
                "defaultModelsExpandDepth": 0,
                "validatorUrl": None,  # a service on the internet, by default
            },
        )
        page.headers["content-security-policy"] = (
            "default-src 'self'; connect-src *; img-src 'self' data:; "
            "script-src 'self' 'unsafe-inline'; "
            "style-src 'self' 'unsafe-inline'"
        )
        return page

    async def asset(request: Request) -> Response:
        name = request.path_params["file"]
        if name not in _FILES:
            raise NothingHere(name)
        return text_answer(_read_asset(name), media_type=_FILES[name])

    app.openapi = describe  # type: ignore[method-assign]
    app.add_route(f"{base}/openapi.json", openapi, include_in_schema=False)
    app.add_route(f"{base}/docs", docs, include_in_schema=False)
    app.add_route(f"{base}/docs/{{file}}", asset, include_in_schema=False)


def build_description(app: FastAPI, deps: ApiDependencies) -> dict[str, Any]:
    """The OpenAPI document, complete with the schemas of all kinds."""
    root_url = deps.settings.api_server.root_url
    described = get_openapi(
        title=app.title,
        version=app.version,
        description=_DESCRIPTION,
        routes=app.routes,
        servers=[{"url": root_url}] if root_url else None,
    )
    for path, operations in described["paths"].items():
        if parameters := path_parameters(path):
            operations["parameters"] = parameters
    described["components"] = {
        "schemas": build_schemas(deps.registry),
        "securitySchemes": _SECURITY,
    }
    described["security"] = [{}, {"userToken": []}]
    return described


@cache
def _read_asset(name: str) -> bytes:
    return (files("fastapi_swagger") / "resources" / name).read_bytes()
