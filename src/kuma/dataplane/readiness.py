"""`GET /ready` on the readiness port: whether this proxy should get traffic.

Only that path is served: on Kubernetes the port is reachable from outside, Envoy's admin must not be.
"""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from kuma.dataplane.errors import DataPlaneError
from kuma.dataplane.http import Response

_SECONDS_FOR_A_REQUEST = 10


class ReadinessServer:
    """`envoy_state` is what Envoy says of itself; it may raise OSError while there is no Envoy."""

    def __init__(self, envoy_state: Callable[[], Awaitable[Response]]) -> None:
        self._envoy_state = envoy_state
        self._terminating = False
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> None:
        try:
            self._server = await asyncio.start_server(self._serve, host, port)
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

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_SECONDS_FOR_A_REQUEST):
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1].split(b"?")[0]
                writer.write(_encode(await self._answer(path)))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, IndexError):
            pass  # the caller went away, was too slow or does not speak HTTP
        finally:
            writer.close()

    async def _answer(self, path: bytes) -> Response:
        if path != b"/ready":
            return Response(HTTPStatus.NOT_FOUND, body=b"only /ready is served here\n")
        if self._terminating:
            return Response(HTTPStatus.SERVICE_UNAVAILABLE, body=b"TERMINATING")
        try:
            return await self._envoy_state()
        except OSError:
            return Response(HTTPStatus.SERVICE_UNAVAILABLE, body=b"NOT_READY")


def _encode(response: Response) -> bytes:
    status = HTTPStatus(response.status)
    lines = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        "content-type: text/plain",
        f"content-length: {len(response.body)}",
        "cache-control: no-cache, max-age=0",
        "x-powered-by: kuma-dp",
        "connection: close",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + response.body
