"""One connection to a collector, over gRPC or HTTP: messages go as the bytes that they are.

Source: https://opentelemetry.io/docs/specs/otlp/, with the failures after which to try again.
"""

import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc

from kuma.dataplane.otel.merge import Target
from kuma.plan.signal import Signal

Send = Callable[[bytes], Awaitable[None]]
METHODS = {
    signal: f"/opentelemetry.proto.collector.{service}/Export"
    for signal, service in (
        (Signal.TRACES, "trace.v1.TraceService"),
        (Signal.LOGS, "logs.v1.LogsService"),
        (Signal.METRICS, "metrics.v1.MetricsService"),
    )
}
_AGAIN_GRPC = frozenset({
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DATA_LOSS,
})  # fmt: skip
_AGAIN_HTTP = frozenset({429, 502, 503, 504})
_MOST_SAID = 200
_NO_HEADERS = "OTEL_EXPORTER_OTLP_HEADERS cannot be sent"
"""What they hold is not for the log."""


class NotSent(Exception):
    """Try again, not before `after` seconds if it says so."""

    def __init__(self, reason: str, after: float = 0.0) -> None:
        super().__init__(reason)
        self.after = after


class NotTaken(Exception):
    """The collector does not want it, and would not later."""


@asynccontextmanager
async def connected(target: Target, signal: Signal, *, ca_file: str) -> AsyncIterator[Send]:
    """`ca_file`: the machine's CAs. What is given sends, and raises NotSent or NotTaken; so does this, if
    a certificate cannot be read."""
    opened = _over_http(target, ca_file) if target.is_http else _over_grpc(target, signal, ca_file)
    async with opened as send:
        yield send


@asynccontextmanager
async def _over_grpc(target: Target, signal: Signal, ca_file: str) -> AsyncIterator[Send]:
    compression = grpc.Compression.Gzip if target.is_compressed else grpc.Compression.NoCompression
    async with _channel(target, ca_file) as channel:
        export = channel.unary_unary(METHODS[signal])
        metadata = tuple((name.lower(), text) for name, text in target.headers.items())

        async def send(body: bytes) -> None:
            try:
                await export(
                    body,
                    timeout=target.longest.total_seconds(),
                    metadata=metadata,
                    compression=compression,
                )
            except grpc.aio.AioRpcError as error:
                reason = f"{error.code().name}: {error.details() or ''}"[:_MOST_SAID]
                if error.code() in _AGAIN_GRPC:
                    raise NotSent(reason) from error
                raise NotTaken(reason) from error
            except (TypeError, ValueError) as error:
                raise NotTaken(_NO_HEADERS) from error

        yield send


def _channel(target: Target, ca_file: str) -> grpc.aio.Channel:
    if not target.is_secure:
        return grpc.aio.insecure_channel(target.endpoint)
    roots = _read(target.certificate or ca_file) if target.certificate or ca_file else None
    pair = (target.client_key, target.client_certificate)
    key, chain = map(_read, pair) if all(pair) else (None, None)
    credentials = grpc.ssl_channel_credentials(roots, key, chain)
    return grpc.aio.secure_channel(target.endpoint, credentials)


@asynccontextmanager
async def _over_http(target: Target, ca_file: str) -> AsyncIterator[Send]:
    import httpx  # only whom it concerns pays for what this loads

    seconds = target.longest.total_seconds()
    headers = {**target.headers, "content-type": "application/x-protobuf"}
    if target.is_compressed:
        headers["content-encoding"] = "gzip"
    verify: Any = _context(target, ca_file) if target.is_secure else False
    async with httpx.AsyncClient(verify=verify, timeout=seconds) as client:

        async def send(body: bytes) -> None:
            content = gzip.compress(body) if target.is_compressed else body
            try:
                answer = await client.post(target.url, content=content, headers=headers)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise NotSent(str(error) or type(error).__name__) from error
            except ValueError as error:
                raise NotTaken(_NO_HEADERS) from error
            _check(answer.status_code, answer.headers.get("retry-after", ""))

        yield send


def _check(status: int, after: str) -> None:
    reason = f"the collector answered {status}"
    if status in _AGAIN_HTTP:
        raise NotSent(reason, float(after) if after.isdecimal() else 0.0)
    if not 200 <= status < 300:
        raise NotTaken(reason)


def _context(target: Target, ca_file: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=target.certificate or ca_file or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if target.client_certificate and target.client_key:
            context.load_cert_chain(target.client_certificate, target.client_key)
    except (OSError, ValueError) as error:
        raise NotSent(f"a certificate cannot be used: {error}") from error
    return context


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise NotSent(f"{path} cannot be read: {error.strerror}") from error
