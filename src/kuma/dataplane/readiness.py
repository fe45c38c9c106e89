"""`GET /ready` on the readiness port: whether this proxy should get traffic.

Only that path is served: on Kubernetes the port is reachable from outside, Envoy's admin must not be.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from http import HTTPStatus

from kuma.dataplane.answering import Request, answering
from kuma.dataplane.errors import DataPlaneError
from kuma.dataplane.http import BadAnswer, Response

_HEADERS = {"cache-control": "no-cache, max-age=0", "x-powered-by": "kuma-dp"}


class ReadinessServer:
    """`envoy_state` is what Envoy says of itself; it may raise OSError while there is no Envoy."""

    def __init__(self, envoy_state: Callable[[], Awaitable[Response]]) -> None:
        self._envoy_state = envoy_state
        self._terminating = False
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> None:
        try:
            self._server = await asyncio.start_server(answering(self._answer), host, port)
        except OSError as error:
            raise DataPlaneError(
                f"the readiness port {port} on {host} cannot be opened: {error.strerror}; "
                "choose another with KUMA_READINESS_PORT"
            ) from error

    def terminating(self) -> None:
        self._terminating = True

    def close(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _answer(self, request: Request) -> Response:
        found = await self._state(request.path)
        return replace(found, headers=_HEADERS)

    async def _state(self, path: str) -> Response:
        if path != "/ready":
            return Response(HTTPStatus.NOT_FOUND, body=b"only /ready is served here\n")
        if self._terminating:
            return Response(HTTPStatus.SERVICE_UNAVAILABLE, body=b"TERMINATING")
        try:
            return await self._envoy_state()
        except (OSError, BadAnswer):
            return Response(HTTPStatus.SERVICE_UNAVAILABLE, body=b"NOT_READY")
