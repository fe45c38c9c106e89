"""One HTTP/1.1 exchange over TCP, TLS or a unix socket: for the control plane and Envoy's admin.

Written out because a client library costs more time and memory than all the rest of kuma-dp.
Source: RFC 9112.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext

_LARGEST_HEAD = 64 * 1024
_WITHOUT_BODY = frozenset({204, 304})
_MOST = 1 << 28
"""Envoy's own statistics may be large."""


class BadAnswer(Exception):
    """What came back is not HTTP."""


@dataclass(frozen=True, slots=True)
class Tcp:
    """`source`: the address to call from; empty: whichever."""

    host: str
    port: int
    tls: SSLContext | None = None
    source: str = ""

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Unix:
    path: Path
    authority: str = "localhost"


Endpoint = Tcp | Unix


@dataclass(frozen=True, slots=True)
class Response:
    """Header names are lower case; of a repeated header the last counts."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace").strip()


async def exchange(
    endpoint: Endpoint,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    seconds: float = 10.0,
    most: int = _MOST,
) -> Response:
    """`most`: bytes of the body that are taken. Raises OSError (ssl.SSLError is one), TimeoutError or
    BadAnswer."""
    async with asyncio.timeout(seconds):
        reader, writer = await _connect(endpoint)
        try:
            writer.write(_head(endpoint.authority, method, path, headers or {}, len(body)) + body)
            await writer.drain()
            return await _read(reader, most)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
            raise BadAnswer(f"the answer is not HTTP or ended too soon: {error}") from error
        finally:
            writer.close()


async def _connect(endpoint: Endpoint) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    match endpoint:
        case Tcp(host, port, tls, source):
            local = (source, 0) if source else None
            return await asyncio.open_connection(
                host, port, ssl=tls, limit=_LARGEST_HEAD, local_addr=local
            )
        case Unix(path):
            return await asyncio.open_unix_connection(path, limit=_LARGEST_HEAD)


def _head(authority: str, method: str, path: str, headers: Mapping[str, str], length: int) -> bytes:
    fields = {"Host": authority, "Connection": "close", "Content-Length": str(length), **headers}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _read(reader: asyncio.StreamReader, most: int) -> Response:
    start, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    protocol, status, *_reason = start.split(" ", 2)
    if not protocol.startswith("HTTP/1."):
        raise BadAnswer(f"the answer is not HTTP but starts with {start[:40]!r}")
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    has_body = int(status) not in _WITHOUT_BODY
    body = await _read_body(reader, headers, most) if has_body else b""
    return Response(int(status), headers, body)


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str], most: int) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return await _read_chunks(reader, most)
    if (length := headers.get("content-length")) is not None:
        return await reader.readexactly(_checked(int(length), most))
    return await _read_all(reader, most)


async def _read_all(reader: asyncio.StreamReader, most: int) -> bytes:
    """Until the other side ends."""
    body = bytearray()
    while part := await reader.read(_LARGEST_HEAD):
        body += part
        _checked(len(body), most)
    return bytes(body)


async def _read_chunks(reader: asyncio.StreamReader, most: int) -> bytes:
    body = bytearray()
    while size := int((await reader.readline()).split(b";")[0], 16):
        _checked(len(body) + size, most)
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    return bytes(body)


def _checked(size: int, most: int) -> int:
    if not 0 <= size <= most:
        raise BadAnswer(f"the answer is longer than {most} bytes")
    return size
