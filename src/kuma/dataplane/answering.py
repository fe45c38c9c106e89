"""Answers one HTTP/1.1 request of a connection, for what kuma-dp serves itself."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from kuma.dataplane.http import Response

_SECONDS_TO_ASK = 10.0


@dataclass(frozen=True, slots=True)
class Request:
    """`path` is without the query; header names are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    query: str = ""


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answering(answer: Callable[[Request], Awaitable[Response]]) -> Serve:
    """For asyncio's servers."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_SECONDS_TO_ASK):
                request = _parse(await reader.readuntil(b"\r\n\r\n"))
            writer.write(_encode(await answer(request), has_body=request.method != "HEAD"))
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass  # the caller went away, was too slow or does not speak HTTP
        finally:
            writer.close()

    return serve


def _parse(head: bytes) -> Request:
    """Raises ValueError."""
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, *_version = first.split(" ")
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.strip().lower(): text.strip() for name, _, text in pairs}
    path, _, query = target.partition("?")
    return Request(method, path, headers, query)


def _encode(response: Response, *, has_body: bool) -> bytes:
    status = HTTPStatus(response.status)
    fields = {"content-type": "text/plain", **response.headers}
    fields |= {"content-length": str(len(response.body)), "connection": "close"}
    lines = (f"HTTP/1.1 {status.value} {status.phrase}", *(f"{k}: {v}" for k, v in fields.items()))
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + (response.body if has_body else b"")
