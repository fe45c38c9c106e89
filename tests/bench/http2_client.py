"""A client's side of one HTTP/2 connection with one gRPC stream, and no more than that.

    transport --data_received--> frames --> messages --> `message`
    transport <-- one write for all that was said meanwhile <-- `say`

Two large windows, answers to PINGs, PINGs of its own as gRPC's keepalive; the headers of answers are
decoded only to tell why a stream ended. Requests are far smaller than any window, which is why those of
the server are not counted.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping
from struct import Struct
from typing import cast

from hpack import Decoder

from kuma.xds.http2 import frames
from kuma.xds.http2.frames import HEADER, HEADER_SIZE, Flag, Kind, Setting
from kuma.xds.http2.headers import encode_headers

STREAM = 1
WINDOW = 1 << 24
"""Envoy's own, of the stream and (a little more there) of the connection."""
_PREFIX = Struct(">BI")
_START = (
    frames.PREFACE
    + frames.settings({Setting.ENABLE_PUSH: 0, Setting.INITIAL_WINDOW_SIZE: WINDOW})
    + frames.window_update(0, WINDOW - frames.DEFAULT_WINDOW)
)
_PING = frames.frame(Kind.PING, 0, 0, b"bench...")


class GrpcClient(ABC, asyncio.Protocol):
    """`keepalive` seconds without a byte from the server lead to a PING; 0: never."""

    def __init__(self, path: str, headers: Mapping[str, str], *, keepalive: float = 0) -> None:
        pseudo = {":method": "POST", ":scheme": "https", ":path": path, ":authority": "kuma-cp"}
        grpc = {"content-type": "application/grpc", "te": "trailers"}
        self._headers = encode_headers({**pseudo, **grpc, **headers}.items())
        self._keepalive = keepalive
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._message = bytearray()
        self._missing = 0
        self._unread = 0
        self._out: list[bytes] = []
        self._blocks: list[bytes] = []
        self._heard = False
        self._timer: asyncio.TimerHandle | None = None

    @abstractmethod
    def opened(self) -> None:
        """The connection is there; say something."""

    @abstractmethod
    def message(self, content: bytes) -> None: ...

    @abstractmethod
    def lost(self, reason: str) -> None:
        """The stream ended or the connection broke. Called once."""

    def say(self, message: bytes) -> None:
        content = _PREFIX.pack(0, len(message)) + message
        for start in range(0, len(content), frames.DEFAULT_FRAME_SIZE):
            piece = content[start : start + frames.DEFAULT_FRAME_SIZE]
            self._out.append(frames.frame(Kind.DATA, 0, STREAM, piece))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        head = frames.frame(Kind.HEADERS, Flag.END_HEADERS, STREAM, self._headers)
        self._out += [_START, head]
        self.opened()
        self._flush()
        if self._keepalive:
            self._watch()

    def data_received(self, data: bytes) -> None:
        self._heard = True
        if self._buffer:
            data = self._buffer + data
        position, end = 0, len(data)
        while end - position >= HEADER_SIZE:
            high, low, kind, flags, stream = HEADER.unpack_from(data, position)
            start = position + HEADER_SIZE
            after = start + (high << 8 | low)
            if after > end:
                break
            if kind == Kind.DATA:
                self._on_data(data[start:after])
            else:
                self._on_other(kind, flags, stream, data[start:after])
            position = after
        self._buffer = data[position:] if position < end else b""
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        self.lost(self._reason() or str(exc or "the connection was closed"))

    def _on_data(self, payload: bytes) -> None:
        self._unread += len(payload)
        if self._unread * 2 >= WINDOW:
            for stream in (0, STREAM):
                self._out.append(frames.window_update(stream, self._unread))
            self._unread = 0
        if not self._message and self._is_one(payload):
            self.message(payload[5:])
            return
        self._message += payload
        while len(self._message) >= max(5, self._missing):
            size = 5 + int.from_bytes(self._message[1:5])
            if len(self._message) < size:
                self._missing = size
                return
            content = bytes(self._message[5:size])
            del self._message[:size]
            self._missing = 0
            self.message(content)

    @staticmethod
    def _is_one(payload: bytes) -> bool:
        return len(payload) >= 5 and 5 + int.from_bytes(payload[1:5]) == len(payload)

    def _on_other(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == Kind.PING and not flags & Flag.ACK:
            self._out.append(frames.frame(Kind.PING, Flag.ACK, 0, payload))
        elif kind == Kind.SETTINGS and not flags & Flag.ACK:
            self._out.append(frames.SETTINGS_ACK)
        elif kind == Kind.HEADERS:
            self._blocks.append(payload)
            if flags & Flag.END_STREAM:
                self.close()
        elif (kind == Kind.RST_STREAM and stream == STREAM) or kind == Kind.GOAWAY:
            self.close()

    def _reason(self) -> str:
        """What the trailers tell; empty if there were none."""
        decoder, found = Decoder(), {}
        for block in self._blocks:
            found.update({str(k): str(v) for k, v in decoder.decode(block)})
        status = found.get("grpc-status", "")
        return f"status {status}: {found.get('grpc-message', '')}" if status else ""

    def _watch(self) -> None:
        if not self._heard and self._transport is not None:
            self._transport.write(_PING)
        self._heard = False
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._keepalive, self._watch)

    def _flush(self) -> None:
        if self._out and self._transport is not None:
            out, self._out = self._out, []
            self._transport.write(b"".join(out))
