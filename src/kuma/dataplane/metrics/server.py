"""Serves the metrics of the proxy and its applications to Envoy, which serves them to Prometheus.

Always in Prometheus' text format, which every Prometheus takes: in OpenMetrics the names of counters
would have to be others.
"""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path

from kuma.dataplane.errors import DataPlaneError
from kuma.dataplane.metrics.exposition import TEXT
from kuma.dataplane.metrics.wanted import PATH

_SECONDS_TO_ASK = 10.0
_LONGEST = 14.0
"""Envoy waits a second more for us; who is slow must not cost the others'."""
_SECONDS = 10.0
_SPARE = 0.5
_TIMEOUT_HEADER = "x-prometheus-scrape-timeout-seconds"


class MetricsServer:
    """`collect` gives the text within so many seconds; None: nothing is to be measured."""

    def __init__(self, socket: Path, collect: Callable[[float], Awaitable[str | None]]) -> None:
        self._socket = socket
        self._collect = collect
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Raises DataPlaneError."""
        try:
            self._server = await asyncio.start_unix_server(self._serve, self._socket)
            self._socket.chmod(0o600)
        except OSError as error:
            where = f"the socket for metrics {self._socket}"
            raise DataPlaneError(f"{where} cannot be opened: {error.strerror}") from error

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._socket.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_SECONDS_TO_ASK):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            writer.write(await self._answer(head))
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            pass  # Envoy went away or was too slow
        finally:
            writer.close()

    async def _answer(self, head: str) -> bytes:
        first, *lines = head.split("\r\n")
        method, _, rest = first.partition(" ")
        if method not in {"GET", "HEAD"} or not rest.startswith(PATH):
            return _encode(HTTPStatus.NOT_FOUND, "only metrics are served here\n")
        text = await self._collect(_seconds(lines))
        if text is None:
            return _encode(HTTPStatus.SERVICE_UNAVAILABLE, "nothing is to be measured\n")
        return _encode(HTTPStatus.OK, text, has_body=method == "GET")


def _seconds(lines: list[str]) -> float:
    """What Prometheus gives is a little more than we have, since it wants an answer by then."""
    pairs = (line.partition(":") for line in lines)
    said = {name.strip().lower(): text.strip() for name, _, text in pairs}.get(_TIMEOUT_HEADER, "")
    try:
        seconds = float(said) - _SPARE
    except ValueError:
        return _SECONDS
    return min(max(seconds, _SPARE), _LONGEST)


def _encode(status: HTTPStatus, text: str, *, has_body: bool = True) -> bytes:
    body = text.encode()
    lines = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"content-type: {TEXT}",
        f"content-length: {len(body)}",
        "connection: close",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + (body if has_body else b"")
