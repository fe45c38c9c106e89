"""One TLS connection of a proxy: chooses the protocol, notices dead peers.

TLS handshake -> ALPN h2, or HTTP/2's preface -> Http2Connection -> gRPC or Routes
              -> anything else                -> Http1Connection -> Routes
"""

import asyncio
import ssl
from collections.abc import Coroutine
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, Protocol, cast

from kuma.xds.http1 import MAX_BODY, Answer, Http1Connection, HttpRequest, Routes, plain
from kuma.xds.http2.connection import Http2Connection
from kuma.xds.http2.frames import PREFACE, Code
from kuma.xds.http2.headers import Headers, encode_headers
from kuma.xds.http2.limits import Http2Limits
from kuma.xds.http2.stream import Stream, StreamHandler
from kuma.xds.rpc import Methods, is_grpc

RECORD: Final = 16_384
"""The most plaintext that a record of TLS holds."""
_METHOD_END: Final = 4
"""Bytes that tell `PRI ` from any method of HTTP/1.1."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. A silent HTTP/2 peer is asked for a sign of life after `quiet` and dropped if none
    comes within `answer`; one without streams is sent away after `idle`. `request` is for all of an
    HTTP/1.1 request, and for the pause before the next; `stalled` is how long a peer may take
    nothing of what it is sent; `patience` is how long listeners and routes wait at most for new
    clusters to become warm."""

    quiet: float = 30.0
    answer: float = 15.0
    idle: float = 300.0
    request: float = 30.0
    stalled: float = 60.0
    patience: float = 1.0


class Owner(Protocol):
    """The server, as its links see it."""

    methods: Methods
    routes: Routes
    timeouts: Timeouts
    limits: Http2Limits

    def joined(self, link: "Link") -> None: ...

    def left(self, link: "Link") -> None: ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run it, and let it end before the server does."""


class Link(asyncio.Protocol):
    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._http2: Http2Connection | None = None
        self._http1: Http1Connection | None = None
        self._start = b""
        self._heard = True
        self._idle = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._owner.joined(self)
        self._wait_for_request()
        secure: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        if secure is not None and secure.selected_alpn_protocol() == "h2":
            self._speak_http2()

    def data_received(self, data: bytes) -> None:
        self._heard = True
        if self._http2 is not None:
            self._http2.receive(data)
            if self._http2.is_over:
                self.close()
        elif self._http1 is not None:
            self._http1.receive(data)
            if self._http1.is_over:
                self.close()
        else:
            self._choose(self._start + data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._watch_with(None)
        self.resume_writing()
        if self._http2 is not None:
            self._http2.lost()
        self._owner.left(self)

    def pause_writing(self) -> None:
        if self._http2 is not None:
            self._http2.is_paused = True
        self._stall = self._loop.call_later(self._owner.timeouts.stalled, self.abort)

    def resume_writing(self) -> None:
        if self._http2 is not None:
            self._http2.is_paused = False
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    # What the server asks for

    def drain(self) -> None:
        """Ask the client to open no more streams here."""
        if self._http2 is not None:
            self._http2.drain()

    def close(self) -> None:
        """Close once what was written has been sent."""
        if self._http2 is not None:
            self._http2.close()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # The Application of Http2Connection

    def request(self, stream: Stream, headers: Headers) -> StreamHandler:
        if is_grpc(headers):
            return self._owner.methods.call(stream, headers)
        return _Upload(self._owner, stream, headers)

    # Choosing and watching

    def _choose(self, start: bytes) -> None:
        """Without ALPN the first bytes tell: a client may know that it speaks HTTP/2."""
        if len(start) < _METHOD_END and PREFACE.startswith(start):
            self._start = start
            return
        self._start = b""
        if start[:_METHOD_END] == PREFACE[:_METHOD_END]:
            self._speak_http2()
        else:
            self._http1 = Http1Connection(self._serve, self._write)
        self.data_received(start)

    def _speak_http2(self) -> None:
        self._http2 = Http2Connection(self, self._write, now=monotonic, limits=self._owner.limits)
        self._http2.start()
        self._watch_with(self._loop.call_later(self._owner.timeouts.quiet, self._check_alive))

    def _check_alive(self) -> None:
        """Every `quiet` seconds: if nothing came, ask for a sign of life."""
        timeouts, http2 = self._owner.timeouts, self._http2
        if http2 is None:
            return
        self._idle = 0.0 if http2.streams else self._idle + timeouts.quiet
        if self._idle >= timeouts.idle:
            self.close()
            return
        wait, then = timeouts.quiet, self._check_alive
        if not self._heard:
            http2.ping()
            wait, then = timeouts.answer, self._check_answered
        self._heard = False
        self._watch_with(self._loop.call_later(wait, then))

    def _check_answered(self) -> None:
        if self._heard:
            self._check_alive()
        else:
            self.abort()

    def _wait_for_request(self) -> None:
        self._watch_with(self._loop.call_later(self._owner.timeouts.request, self.abort))

    def _watch_with(self, timer: asyncio.TimerHandle | None) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._watch = timer

    def _write(self, data: bytes) -> None:
        """A record of TLS at a time: what is written at once stays allocated in the connection, which
        would be a megabyte after a large configuration."""
        transport = self._transport
        if transport is None:
            return
        if len(data) <= RECORD:
            transport.write(data)
            return
        view = memoryview(data)
        for start in range(0, len(data), RECORD):
            transport.write(view[start : start + RECORD])

    # HTTP/1.1

    def _serve(self, request: HttpRequest) -> None:
        self._watch_with(None)
        self._owner.spawn(self._answer(request))

    async def _answer(self, request: HttpRequest) -> None:
        answer = await self._owner.routes.answer(request)
        if self._http1 is not None:
            self._http1.send(answer)
            if self._http1.is_over:
                self.close()
            elif not self._http1.is_serving and self._transport is not None:
                self._wait_for_request()


class _Upload:
    """A request over HTTP/2 that is not gRPC: gathers its body, then answers."""

    def __init__(self, owner: Owner, stream: Stream, headers: Headers) -> None:
        self._owner = owner
        self._stream = stream
        self._headers = headers
        self._body = bytearray()
        self._size = 0

    def data(self, content: bytes) -> None:
        self._size += len(content)
        if self._size <= MAX_BODY:
            self._body += content
        else:
            self._body = bytearray()
            self._send(plain(413))

    def ended(self) -> None:
        if self._size <= MAX_BODY:
            self._owner.spawn(self._answer())

    def closed(self, code: Code | None) -> None: ...

    async def _answer(self) -> None:
        plain_headers = {key: each for key, each in self._headers.items() if key[0] != ":"}
        request = HttpRequest(
            method=self._headers[":method"],
            path=self._headers[":path"],
            headers=plain_headers,
            body=bytes(self._body),
        )
        self._send(await self._owner.routes.answer(request))

    def _send(self, answer: Answer) -> None:
        status, content_type, body = answer
        head = ((":status", str(status)), ("content-type", content_type))
        length = ("content-length", str(len(body)))
        self._stream.send_headers(encode_headers((*head, length)))
        self._stream.send_data(body, end=True)
