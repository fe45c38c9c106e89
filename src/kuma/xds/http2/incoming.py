"""What the frames of the peer do to a connection. Section numbers are of RFC 9113.

    frame -> rules -> streams, outbox, Application

Faults that concern one stream reset it; others raise ConnectionFault.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from kuma.xds.http2 import frames
from kuma.xds.http2.blocks import Block, HeaderBlocks
from kuma.xds.http2.frames import (
    DEFAULT_FRAME_SIZE,
    LARGEST_FRAME_SIZE,
    LARGEST_WINDOW,
    Code,
    ConnectionFault,
    Flag,
    Kind,
    Setting,
    expect,
    unpadded,
)
from kuma.xds.http2.headers import MalformedHeaders, check_trailers, request_headers
from kuma.xds.http2.limits import Http2Limits, Strain
from kuma.xds.http2.stream import Application, Stream

if TYPE_CHECKING:
    from kuma.xds.http2.connection import Http2Connection


class Incoming:
    def __init__(
        self,
        connection: "Http2Connection",
        application: Application,
        *,
        limits: Http2Limits,
        now: Callable[[], float],
    ) -> None:
        self._connection = connection
        self._application = application
        self._outbox = connection.outbox
        self._streams = connection.streams
        self._limits = limits
        self._strain = Strain(limits, now)
        self._blocks = HeaderBlocks(limits.header_list)
        self._unread = 0

    def frame(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        self._blocks.check(kind, stream_id)
        if kind == Kind.DATA:
            self._on_data(flags, stream_id, payload)
        elif kind == Kind.WINDOW_UPDATE:
            self._on_window_update(stream_id, payload)
        elif kind == Kind.HEADERS:
            self._on_block(self._blocks.begin(flags, stream_id, payload))
        elif kind == Kind.CONTINUATION:
            self._strain.add()
            self._on_block(self._blocks.go_on(flags, payload))
        elif kind == Kind.PING:
            self._on_ping(flags, stream_id, payload)
        elif kind == Kind.SETTINGS:
            self._on_settings(flags, stream_id, payload)
        elif kind == Kind.RST_STREAM:
            self._on_reset(stream_id, payload)
        elif kind == Kind.PUSH_PROMISE:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "clients do not push")
        elif kind == Kind.GOAWAY:
            expect(stream_id == 0, "GOAWAY on a stream")
            expect(len(payload) >= 8, "a short GOAWAY", Code.FRAME_SIZE_ERROR)
        elif kind == Kind.PRIORITY:
            self._on_priority(stream_id, payload)
        else:
            self._strain.add()  # unknown kinds are ignored (4.1)

    # Streams

    def _on_data(self, flags: int, stream_id: int, payload: bytes) -> None:
        expect(stream_id != 0, "DATA on the connection")
        size, ends = len(payload), bool(flags & Flag.END_STREAM)
        self._unread += size
        if self._unread * 2 >= self._limits.window:
            self._outbox.put(frames.window_update(0, self._unread))
            self._unread = 0
        stream = self._streams.find(stream_id)
        if stream is None:
            self._streams.check_closed(stream_id)
            return
        if stream.remote_ended:
            self._streams.fault(stream, Code.STREAM_CLOSED)
            return
        if flags & Flag.PADDED:
            payload = unpadded(payload)
        if not payload and not ends:
            self._strain.add()
        self._reopen_window(stream, size, ends=ends)
        stream.received += len(payload)
        if stream.is_beyond_length(ends=ends):
            self._streams.fault(stream, Code.PROTOCOL_ERROR)
            return
        stream.take(payload, ends=ends)

    def _reopen_window(self, stream: Stream, size: int, *, ends: bool) -> None:
        stream.unread += size
        if stream.unread * 2 >= self._limits.window and not ends:
            self._outbox.put(frames.window_update(stream.id, stream.unread))
            stream.unread = 0

    def _on_block(self, block: Block | None) -> None:
        if block is None:
            return
        known = self._streams.find(block.stream_id)
        if known is not None:
            self._on_trailers(known, block)
        elif block.stream_id <= self._streams.last:
            self._streams.check_closed(block.stream_id)
        else:
            self._open(block)

    def _on_trailers(self, stream: Stream, block: Block) -> None:
        ends = block.ends
        try:
            check_trailers(block.pairs)
        except MalformedHeaders:
            ends = False
        if stream.remote_ended:
            self._streams.fault(stream, Code.STREAM_CLOSED)
        elif not ends or stream.is_beyond_length(ends=True):
            self._streams.fault(stream, Code.PROTOCOL_ERROR)
        else:
            stream.remote_ended = True
            if stream.handler is not None:
                stream.handler.ended()

    def _open(self, block: Block) -> None:
        self._strain.add()
        if self._streams.is_draining:
            return  # beyond the last stream that GOAWAY named: the client will try elsewhere
        stream = Stream(self._connection, block.stream_id, self._streams.window)
        stream.remote_ended = block.ends
        self._streams.add(stream)
        if len(self._streams) > self._limits.streams:
            self._streams.reset(stream, Code.REFUSED_STREAM)
            return
        try:
            headers = request_headers(block.pairs)
            if (length := headers.get("content-length")) is not None:
                stream.expected = _content_length(length, ends=block.ends)
        except MalformedHeaders:
            self._streams.reset(stream, Code.PROTOCOL_ERROR)
            return
        stream.handler = handler = self._application.request(stream, headers)
        if block.ends and not stream.end_sent:
            handler.ended()

    def _on_reset(self, stream_id: int, payload: bytes) -> None:
        expect(stream_id != 0, "RST_STREAM on the connection")
        expect(len(payload) == 4, "RST_STREAM of a wrong size", Code.FRAME_SIZE_ERROR)
        expect(self._streams.is_known(stream_id), "RST_STREAM on an idle stream")
        self._strain.add(5)
        self._streams.reset_by_peer(stream_id, _code(int.from_bytes(payload)))

    def _on_priority(self, stream_id: int, payload: bytes) -> None:
        expect(stream_id != 0, "PRIORITY on the connection")
        self._strain.add()
        if len(payload) != 5 and (stream := self._streams.find(stream_id)) is not None:
            self._streams.fault(stream, Code.FRAME_SIZE_ERROR)

    # Windows

    def _on_window_update(self, stream_id: int, payload: bytes) -> None:
        expect(len(payload) == 4, "WINDOW_UPDATE of a wrong size", Code.FRAME_SIZE_ERROR)
        increment = int.from_bytes(payload) & LARGEST_WINDOW
        self._strain.add()
        if stream_id == 0:
            self._widen(increment)
            return
        known = self._streams.find(stream_id)
        if known is None:
            expect(self._streams.is_known(stream_id), "WINDOW_UPDATE on an idle stream")
            return
        if increment == 0:
            self._streams.fault(known, Code.PROTOCOL_ERROR)
            return
        known.send_window += increment
        if known.send_window > LARGEST_WINDOW:
            self._streams.fault(known, Code.FLOW_CONTROL_ERROR)
        else:
            self._streams.resume([known])

    def _widen(self, increment: int) -> None:
        """The window of the whole connection."""
        expect(increment != 0, "WINDOW_UPDATE by nothing")
        self._outbox.window += increment
        fits = self._outbox.window <= LARGEST_WINDOW
        expect(fits, "window overflow", Code.FLOW_CONTROL_ERROR)
        self._streams.resume()

    # The connection

    def _on_ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        expect(stream_id == 0, "PING on a stream")
        expect(len(payload) == 8, "PING of a wrong size", Code.FRAME_SIZE_ERROR)
        if flags & Flag.ACK:
            self._connection.pongs += 1
            return
        self._strain.add()
        self._outbox.put(frames.frame(Kind.PING, Flag.ACK, 0, payload))

    def _on_settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        expect(stream_id == 0, "SETTINGS on a stream")
        if flags & Flag.ACK:
            expect(not payload, "SETTINGS acknowledged with content", Code.FRAME_SIZE_ERROR)
            return
        expect(len(payload) % 6 == 0, "SETTINGS of a wrong size", Code.FRAME_SIZE_ERROR)
        self._strain.add()
        for at in range(0, len(payload), 6):
            self._on_setting(
                int.from_bytes(payload[at : at + 2]), int.from_bytes(payload[at + 2 : at + 6])
            )
        self._outbox.put(frames.SETTINGS_ACK)

    def _on_setting(self, setting: int, value: int) -> None:
        if setting == Setting.ENABLE_PUSH:
            expect(value in {0, 1}, "ENABLE_PUSH is 0 or 1")
        elif setting == Setting.MAX_FRAME_SIZE:
            expect(DEFAULT_FRAME_SIZE <= value <= LARGEST_FRAME_SIZE, "MAX_FRAME_SIZE")
            self._outbox.frame_size = min(value, 1 << 20)
        elif setting == Setting.INITIAL_WINDOW_SIZE:
            expect(value <= LARGEST_WINDOW, "INITIAL_WINDOW_SIZE", Code.FLOW_CONTROL_ERROR)
            self._streams.set_window(value)


def _content_length(text: str, *, ends: bool) -> int:
    if not text.isascii() or not text.isdigit() or (ends and int(text) != 0):
        raise MalformedHeaders(f"content-length {text!r}")
    return int(text)


def _code(number: int) -> Code:
    try:
        return Code(number)
    except ValueError:
        return Code.INTERNAL_ERROR
