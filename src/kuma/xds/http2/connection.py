"""A server's side of one HTTP/2 connection.

    transport --receive(bytes)--> Http2Connection --request/data/ended/closed--> Application
    transport <--write(bytes)---- Http2Connection <--send_headers/send_data----- Application

Faults of the peer that concern one stream reset it; others end the connection with a GOAWAY, after
which `is_over` holds and the owner closes the transport. Section numbers are of RFC 9113.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hpack import Decoder

from kuma.xds.http2 import frames
from kuma.xds.http2.frames import (
    DEFAULT_FRAME_SIZE,
    DEFAULT_WINDOW,
    HEADER,
    HEADER_SIZE,
    LARGEST_FRAME_SIZE,
    LARGEST_WINDOW,
    Code,
    ConnectionFault,
    Flag,
    Kind,
    Setting,
)
from kuma.xds.http2.headers import (
    MalformedHeaders,
    check_trailers,
    decode_block,
    request_headers,
)
from kuma.xds.http2.outbox import Outbox
from kuma.xds.http2.stream import Application, Stream

_RECENTLY_RESET: Final = 128


@dataclass(frozen=True, slots=True)
class Http2Limits:
    """What a peer may ask of one connection. `window` is how much it may send ahead; it is opened
    again as soon as bytes arrive, since whoever reads them bounds them. `strain` is how many frames that make work without
    bringing data (PING, SETTINGS, RST_STREAM and the like) it may send in `strain_seconds`."""

    streams: int = 100
    window: int = 1 << 20
    header_list: int = 64 * 1024
    strain: int = 2_000
    strain_seconds: float = 10.0


class Http2Connection:
    def __init__(
        self,
        application: Application,
        write: Callable[[bytes], None],
        *,
        now: Callable[[], float],
        limits: Http2Limits | None = None,
    ) -> None:
        self._application = application
        self.outbox = Outbox(write, self._ended)
        self._now = now
        self._limits = limits or Http2Limits()
        self._buffer = b""
        self._started = False
        self._streams: dict[int, Stream] = {}
        self._last_stream = 0
        self._reset: deque[int] = deque(maxlen=_RECENTLY_RESET)
        self._decoder = Decoder(max_header_list_size=self._limits.header_list)
        self._decoder.max_allowed_table_size = 4096
        self._block: list[bytes] | None = None
        self._block_stream = 0
        self._block_ends = False
        self._block_size = 0
        self._peer_window = DEFAULT_WINDOW
        self._unread = 0
        self._strain = 0
        self._strain_since = now()
        self._draining = False
        self.is_paused = False
        """Set by the owner: the transport's buffer is full."""
        self.is_over = False
        self.pongs = 0
        """How many of our PINGs were answered."""

    def start(self) -> None:
        """Send our SETTINGS, the first thing that a server says (3.4)."""
        limits = self._limits
        self.outbox.put(
            frames.settings(
                {
                    Setting.MAX_CONCURRENT_STREAMS: limits.streams,
                    Setting.INITIAL_WINDOW_SIZE: limits.window,
                    Setting.MAX_HEADER_LIST_SIZE: limits.header_list,
                }
            )
        )
        self.outbox.put(frames.window_update(0, limits.window - DEFAULT_WINDOW))

    @property
    def streams(self) -> int:
        return len(self._streams)

    def receive(self, data: bytes) -> None:
        if self.is_over:
            return
        self.outbox.cork()
        try:
            self._read(self._buffer + data if self._buffer else data)
        except ConnectionFault as fault:
            self.close(fault.code, str(fault))
        finally:
            self.outbox.uncork()

    def ping(self) -> None:
        self.outbox.put(frames.frame(Kind.PING, 0, 0, b"kumamesh"))

    def drain(self) -> None:
        """Accept no new streams; those that are open may end (6.8)."""
        if not self._draining and not self.is_over:
            self._draining = True
            self.outbox.put(frames.goaway(self._last_stream, Code.NO_ERROR, "draining"))

    def close(self, code: Code = Code.NO_ERROR, reason: str = "") -> None:
        """Say GOAWAY; every open stream is closed."""
        if self.is_over:
            return
        self.is_over = True
        self.outbox.put(frames.goaway(self._last_stream, code, reason))
        self.lost()

    def lost(self) -> None:
        """The transport is gone: tell the streams."""
        self.is_over = True
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            self._close_stream(stream, None)

    def reset_stream(self, stream: Stream, code: Code) -> None:
        if self._streams.pop(stream.id, None) is not None:
            stream.end_sent = True
            stream.unsent = None
            self._reset.append(stream.id)
            self.outbox.put(frames.reset(stream.id, code))

    def _ended(self, stream: Stream) -> None:
        """Our side is complete; what the client may still be sending is of no use (8.1)."""
        self._streams.pop(stream.id, None)
        if not stream.remote_ended:
            self._reset.append(stream.id)
            self.outbox.put(frames.reset(stream.id, Code.NO_ERROR))

    # Receiving

    def _read(self, data: bytes) -> None:
        position, end = 0, len(data)
        if not self._started:
            if end < len(frames.PREFACE):
                if not frames.PREFACE.startswith(data):
                    raise ConnectionFault(Code.PROTOCOL_ERROR, "not an HTTP/2 preface")
                self._buffer = data
                return
            if not data.startswith(frames.PREFACE):
                raise ConnectionFault(Code.PROTOCOL_ERROR, "not an HTTP/2 preface")
            self._started = True
            position = len(frames.PREFACE)
        while end - position >= HEADER_SIZE and not self.is_over:
            high, low, kind, flags, stream_id = HEADER.unpack_from(data, position)
            size = high << 8 | low
            if size > DEFAULT_FRAME_SIZE:
                raise ConnectionFault(Code.FRAME_SIZE_ERROR, f"a frame of {size} bytes")
            after = position + HEADER_SIZE + size
            if after > end:
                break
            self._frame(
                kind, flags, stream_id & LARGEST_WINDOW, data[position + HEADER_SIZE : after]
            )
            position = after
        self._buffer = data[position:] if position < end else b""

    def _frame(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if self._block is not None and (
            kind != Kind.CONTINUATION or stream_id != self._block_stream
        ):
            raise ConnectionFault(Code.PROTOCOL_ERROR, "a header block was interrupted")
        if kind == Kind.DATA:
            self._on_data(flags, stream_id, payload)
        elif kind == Kind.WINDOW_UPDATE:
            self._on_window_update(stream_id, payload)
        elif kind == Kind.HEADERS:
            self._on_headers(flags, stream_id, payload)
        elif kind == Kind.CONTINUATION:
            self._on_continuation(flags, stream_id, payload)
        elif kind == Kind.PING:
            self._on_ping(flags, stream_id, payload)
        elif kind == Kind.SETTINGS:
            self._on_settings(flags, stream_id, payload)
        elif kind == Kind.RST_STREAM:
            self._on_reset(stream_id, payload)
        elif kind == Kind.PUSH_PROMISE:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "clients do not push")
        elif kind == Kind.GOAWAY:
            _expect(stream_id == 0, "GOAWAY on a stream")
            _expect(len(payload) >= 8, "a short GOAWAY", Code.FRAME_SIZE_ERROR)
        elif kind == Kind.PRIORITY:
            self._on_priority(stream_id, payload)
        else:
            self._tire()  # unknown kinds are ignored (4.1)

    def _on_data(self, flags: int, stream_id: int, payload: bytes) -> None:
        _expect(stream_id != 0, "DATA on the connection")
        size = len(payload)
        self._unread += size
        if self._unread * 2 >= self._limits.window:
            self.outbox.put(frames.window_update(0, self._unread))
            self._unread = 0
        stream = self._streams.get(stream_id)
        if stream is None:
            self._on_closed_stream(stream_id)
            return
        if stream.remote_ended:
            self._fault(stream, Code.STREAM_CLOSED)
            return
        if flags & Flag.PADDED:
            payload = _unpadded(payload)
        ends = flags & Flag.END_STREAM
        if not payload and not ends:
            self._tire()
        stream.unread += size
        if stream.unread * 2 >= self._limits.window and not ends:
            self.outbox.put(frames.window_update(stream_id, stream.unread))
            stream.unread = 0
        stream.received += len(payload)
        if stream.expected is not None and (
            stream.received > stream.expected or (ends and stream.received != stream.expected)
        ):
            self._fault(stream, Code.PROTOCOL_ERROR)
            return
        if ends:
            stream.remote_ended = True
        handler = stream.handler
        if handler is not None:
            if payload:
                handler.data(payload)
            if ends and not stream.end_sent:
                handler.ended()

    def _on_headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        _expect(stream_id & 1 == 1, "a client's streams have odd numbers")
        if flags & Flag.PADDED:
            payload = _unpadded(payload)
        if flags & Flag.PRIORITY:
            _expect(len(payload) >= 5, "short HEADERS", Code.FRAME_SIZE_ERROR)
            depends_on = int.from_bytes(payload[:4]) & LARGEST_WINDOW
            _expect(depends_on != stream_id, "a stream that depends on itself")
            payload = payload[5:]
        self._block = [payload]
        self._block_size = len(payload)
        self._block_stream = stream_id
        self._block_ends = bool(flags & Flag.END_STREAM)
        if flags & Flag.END_HEADERS:
            self._on_block()

    def _on_continuation(self, flags: int, stream_id: int, payload: bytes) -> None:
        if self._block is None:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "CONTINUATION without HEADERS")
        self._tire()
        self._block.append(payload)
        self._block_size += len(payload)
        if self._block_size > self._limits.header_list:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "header block too large")
        if flags & Flag.END_HEADERS:
            self._on_block()

    def _on_block(self) -> None:
        block, self._block = b"".join(self._block or ()), None
        pairs = decode_block(self._decoder, block)
        stream_id, ends = self._block_stream, self._block_ends
        known = self._streams.get(stream_id)
        if known is not None:
            self._on_trailers(known, pairs, ends=ends)
        elif stream_id <= self._last_stream:
            self._on_closed_stream(stream_id)
        else:
            self._open(stream_id, pairs, ends=ends)

    def _on_trailers(self, stream: Stream, pairs: list[tuple[bytes, bytes]], *, ends: bool) -> None:
        try:
            check_trailers(pairs)
        except MalformedHeaders:
            ends = False
        if stream.remote_ended:
            self._fault(stream, Code.STREAM_CLOSED)
            return
        short = stream.expected is not None and stream.received != stream.expected
        if not ends or short:
            self._fault(stream, Code.PROTOCOL_ERROR)
            return
        stream.remote_ended = True
        if stream.handler is not None:
            stream.handler.ended()

    def _open(self, stream_id: int, pairs: list[tuple[bytes, bytes]], *, ends: bool) -> None:
        self._tire()
        if self._draining:
            return  # beyond the last stream that GOAWAY named: the client will try elsewhere
        self._last_stream = stream_id
        stream = Stream(self, stream_id, self._peer_window)
        stream.remote_ended = ends
        self._streams[stream_id] = stream
        if len(self._streams) > self._limits.streams:
            self.reset_stream(stream, Code.REFUSED_STREAM)
            return
        try:
            headers = request_headers(pairs)
            if (length := headers.get("content-length")) is not None:
                stream.expected = _content_length(length, ends=ends)
        except MalformedHeaders:
            self.reset_stream(stream, Code.PROTOCOL_ERROR)
            return
        stream.handler = handler = self._application.request(stream, headers)
        if ends and not stream.end_sent:
            handler.ended()

    def _on_window_update(self, stream_id: int, payload: bytes) -> None:
        _expect(len(payload) == 4, "WINDOW_UPDATE of a wrong size", Code.FRAME_SIZE_ERROR)
        increment = int.from_bytes(payload) & LARGEST_WINDOW
        self._tire()
        if stream_id == 0:
            _expect(increment != 0, "WINDOW_UPDATE by nothing")
            self.outbox.window += increment
            fits = self.outbox.window <= LARGEST_WINDOW
            _expect(fits, "window overflow", Code.FLOW_CONTROL_ERROR)
            for stream in list(self._streams.values()):
                if stream.unsent:
                    self.outbox.resume(stream)
            return
        known = self._streams.get(stream_id)
        if known is None:
            _expect(
                stream_id <= self._last_stream or self._draining, "WINDOW_UPDATE on an idle stream"
            )
            return
        if increment == 0:
            self._fault(known, Code.PROTOCOL_ERROR)
            return
        known.send_window += increment
        if known.send_window > LARGEST_WINDOW:
            self._fault(known, Code.FLOW_CONTROL_ERROR)
        elif known.unsent:
            self.outbox.resume(known)

    def _on_ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        _expect(stream_id == 0, "PING on a stream")
        _expect(len(payload) == 8, "PING of a wrong size", Code.FRAME_SIZE_ERROR)
        if flags & Flag.ACK:
            self.pongs += 1
            return
        self._tire()
        self.outbox.put(frames.frame(Kind.PING, Flag.ACK, 0, payload))

    def _on_settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        _expect(stream_id == 0, "SETTINGS on a stream")
        if flags & Flag.ACK:
            _expect(not payload, "SETTINGS acknowledged with content", Code.FRAME_SIZE_ERROR)
            return
        _expect(len(payload) % 6 == 0, "SETTINGS of a wrong size", Code.FRAME_SIZE_ERROR)
        self._tire()
        for at in range(0, len(payload), 6):
            self._on_setting(
                int.from_bytes(payload[at : at + 2]), int.from_bytes(payload[at + 2 : at + 6])
            )
        self.outbox.put(frames.SETTINGS_ACK)

    def _on_setting(self, setting: int, value: int) -> None:
        if setting == Setting.ENABLE_PUSH:
            _expect(value in {0, 1}, "ENABLE_PUSH is 0 or 1")
        elif setting == Setting.MAX_FRAME_SIZE:
            _expect(DEFAULT_FRAME_SIZE <= value <= LARGEST_FRAME_SIZE, "MAX_FRAME_SIZE")
            self.outbox.frame_size = min(value, 1 << 20)
        elif setting == Setting.INITIAL_WINDOW_SIZE:
            _expect(value <= LARGEST_WINDOW, "INITIAL_WINDOW_SIZE", Code.FLOW_CONTROL_ERROR)
            change, self._peer_window = value - self._peer_window, value
            for stream in list(self._streams.values()):
                stream.send_window += change
                _expect(stream.send_window <= LARGEST_WINDOW, "window", Code.FLOW_CONTROL_ERROR)
                if stream.unsent:
                    self.outbox.resume(stream)

    def _on_reset(self, stream_id: int, payload: bytes) -> None:
        _expect(stream_id != 0, "RST_STREAM on the connection")
        _expect(len(payload) == 4, "RST_STREAM of a wrong size", Code.FRAME_SIZE_ERROR)
        _expect(stream_id <= self._last_stream or self._draining, "RST_STREAM on an idle stream")
        self._tire(by=5)
        stream = self._streams.pop(stream_id, None)
        if stream is not None:
            self._close_stream(stream, _code(int.from_bytes(payload)))

    def _on_priority(self, stream_id: int, payload: bytes) -> None:
        _expect(stream_id != 0, "PRIORITY on the connection")
        self._tire()
        if len(payload) != 5 and (stream := self._streams.get(stream_id)) is not None:
            self._fault(stream, Code.FRAME_SIZE_ERROR)

    def _on_closed_stream(self, stream_id: int) -> None:
        """Frames that were on their way when we reset the stream are ignored (5.1)."""
        if stream_id in self._reset or (self._draining and stream_id > self._last_stream):
            return
        _expect(stream_id <= self._last_stream, "a frame on an idle stream")
        raise ConnectionFault(Code.STREAM_CLOSED, f"a frame on stream {stream_id}, which is closed")

    def _fault(self, stream: Stream, code: Code) -> None:
        self.reset_stream(stream, code)
        self._close_stream(stream, code)

    def _close_stream(self, stream: Stream, code: Code | None) -> None:
        stream.end_sent = True
        stream.unsent = None
        if stream.handler is not None:
            stream.handler.closed(code)

    def _tire(self, by: int = 1) -> None:
        """Count work that brings nothing, so that a flood of it ends the connection."""
        self._strain += by
        if self._strain > self._limits.strain:
            now = self._now()
            if now - self._strain_since < self._limits.strain_seconds:
                raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "too many control frames")
            self._strain, self._strain_since = 0, now


def _expect(holds: bool, reason: str, code: Code = Code.PROTOCOL_ERROR) -> None:
    if not holds:
        raise ConnectionFault(code, reason)


def _unpadded(payload: bytes) -> bytes:
    """Strip the padding of DATA or HEADERS (6.1)."""
    _expect(bool(payload), "padding without a length", Code.FRAME_SIZE_ERROR)
    padding = payload[0]
    _expect(padding < len(payload), "more padding than payload")
    return payload[1 : len(payload) - padding]


def _content_length(text: str, *, ends: bool) -> int:
    if not text.isascii() or not text.isdigit() or (ends and int(text) != 0):
        raise MalformedHeaders(f"content-length {text!r}")
    return int(text)


def _code(number: int) -> Code:
    try:
        return Code(number)
    except ValueError:
        return Code.INTERNAL_ERROR
