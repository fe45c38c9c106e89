"""Serves the metrics of the proxy and its applications to Envoy, which serves them to Prometheus.

Always in Prometheus' text format, which every Prometheus takes: in OpenMetrics the names of counters
would have to be others.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from pathlib import Path

from kuma.dataplane.answering import Request, answering
from kuma.dataplane.errors import DataPlaneError
from kuma.dataplane.http import Response
from kuma.dataplane.metrics.exposition import TEXT
from kuma.dataplane.metrics.wanted import PATH

_LONGEST = 14.0
"""Envoy waits a second more for us; who is slow must not cost the others'."""
_SECONDS = 10.0
_SPARE = 0.5
_TIMEOUT_HEADER = "x-prometheus-scrape-timeout-seconds"


class MetricsServer:
    """`collect` gives the text within so many seconds, for the query that somebody asks with; None:
    nothing is to be measured."""

    def __init__(
        self, socket: Path, collect: Callable[[float, str], Awaitable[str | None]]
    ) -> None:
        self._socket = socket
        self._collect = collect
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Raises DataPlaneError."""
        serve = answering(self._answer)
        try:
            self._server = await asyncio.start_unix_server(serve, self._socket)
            self._socket.chmod(0o600)
        except OSError as error:
            where = f"the socket for metrics {self._socket}"
            raise DataPlaneError(f"{where} cannot be opened: {error.strerror}") from error

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._socket.unlink(missing_ok=True)

    async def _answer(self, request: Request) -> Response:
        if request.method not in {"GET", "HEAD"} or not request.path.startswith(PATH):
            return Response(HTTPStatus.NOT_FOUND, body=b"only metrics are served here\n")
        text = await self._collect(_seconds(request.headers), request.query)
        if text is None:
            return Response(HTTPStatus.SERVICE_UNAVAILABLE, body=b"nothing is to be measured\n")
        return Response(HTTPStatus.OK, {"content-type": TEXT}, text.encode())


def _seconds(headers: Mapping[str, str]) -> float:
    """What Prometheus gives is a little more than we have, since it wants an answer by then."""
    try:
        seconds = float(headers.get(_TIMEOUT_HEADER, "")) - _SPARE
    except ValueError:
        return _SECONDS
    return min(max(seconds, _SPARE), _LONGEST)
