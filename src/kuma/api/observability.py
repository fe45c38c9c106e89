"""What operators see of requests: metrics under Kuma's names, and a log line at debug level.

Neither shows a query, a header or a body: all three may hold secrets.
Source of the names: https://github.com/slok/go-http-metrics, prefix `api_server`.
"""

from dataclasses import dataclass
from time import perf_counter

import structlog
from prometheus_client import CollectorRegistry, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LABELS = ("service", "handler", "method", "code")
_SIZES = (100.0, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9)
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"})
UNKNOWN_ROUTE = "unknown"

_log = structlog.get_logger("api.requests")


class RequestMetrics:
    """One per process and registry: a registry refuses the same names twice."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.seconds = Histogram(
            "api_server_http_request_duration_seconds",
            "The latency of the HTTP requests.",
            _LABELS,
            buckets=_SECONDS,
            registry=registry,
        )
        self.sizes = Histogram(
            "api_server_http_response_size_bytes",
            "The size of the HTTP responses.",
            _LABELS,
            buckets=_SIZES,
            registry=registry,
        )
        self.inflight = Gauge(
            "api_server_http_requests_inflight",
            "The number of inflight requests being handled at the same time.",
            ("service", "handler"),
            registry=registry,
        )


@dataclass
class _Sent:
    status: int = 499
    size: int = 0

    def note(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["type"] == "http.response.body":
            self.size += len(message.get("body", b""))


class Observation:
    """The route's template stands for the path, so that there are few time series."""

    def __init__(self, app: ASGIApp, *, metrics: RequestMetrics) -> None:
        self._app = app
        self._metrics = metrics
        self._inflight = metrics.inflight.labels("", "")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent, start = _Sent(), perf_counter()

        async def noting(message: Message) -> None:
            sent.note(message)
            await send(message)

        self._inflight.inc()
        try:
            await self._app(scope, receive, noting)
        finally:
            self._inflight.dec()
            self._report(scope, sent, perf_counter() - start)

    def _report(self, scope: Scope, sent: _Sent, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        labels = ("", _route_of(scope), method, str(sent.status))
        self._metrics.seconds.labels(*labels).observe(seconds)
        self._metrics.sizes.labels(*labels).observe(sent.size)
        _log.debug(
            "request",
            method=scope["method"],
            path=scope["path"],
            status=sent.status,
            milliseconds=round(seconds * 1000, 3),
            caller=_caller_name(scope),
        )


def _route_of(scope: Scope) -> str:
    """The router leaves the route that it chose in the scope."""
    return getattr(scope.get("route"), "path", UNKNOWN_ROUTE)


def _caller_name(scope: Scope) -> str:
    caller = scope.get("state", {}).get("caller")
    return caller.name if caller is not None else ""
