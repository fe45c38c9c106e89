"""One request and its answer: states, windows, what waits to be sent."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from kuma.xds.http2.frames import Code
from kuma.xds.http2.headers import Headers

if TYPE_CHECKING:
    from kuma.xds.http2.connection import Http2Connection


class StreamHandler(Protocol):
    """Who serves a request. Called while bytes are being received; may call the stream's
    methods at any time."""

    def data(self, content: bytes) -> None: ...

    def ended(self) -> None:
        """The client has sent all it will send."""

    def closed(self, code: Code | None) -> None:
        """The stream is over though its answer had not ended: reset by the peer with `code`, or
        (None) the connection was lost. Called at most once."""


class Application(Protocol):
    def request(self, stream: Stream, headers: Headers) -> StreamHandler: ...


class Stream:
    __slots__ = (
        "connection",
        "end_sent",
        "expected",
        "handler",
        "id",
        "received",
        "remote_ended",
        "send_window",
        "unread",
        "unsent",
        "unsent_end",
    )

    def __init__(self, connection: Http2Connection, stream_id: int, send_window: int) -> None:
        self.connection = connection
        self.id = stream_id
        self.handler: StreamHandler | None = None
        self.remote_ended = False
        self.end_sent = False
        self.send_window = send_window
        self.unread = 0
        """Bytes received for which the window was not opened again."""
        self.received = 0
        self.expected: int | None = None
        """`content-length`, if the client gave one."""
        self.unsent: deque[memoryview] | None = None
        self.unsent_end: bytes | None = None
        """The final frame, to be sent after what is in `unsent`."""

    @property
    def is_writable(self) -> bool:
        return not self.end_sent and self.unsent_end is None

    def send_headers(self, block: bytes, *, end: bool = False) -> None:
        """`block` is encoded (see `headers.encode_headers`)."""
        if self.is_writable:
            self.connection.outbox.headers(self, block, end=end)

    def send_data(self, content: bytes, *, end: bool = False) -> None:
        """Send, or keep until the peer's windows allow it."""
        if self.is_writable:
            self.connection.outbox.data(self, content, end=end)

    def reset(self, code: Code) -> None:
        """End at once, in both directions; the handler hears no more."""
        self.connection.streams.reset(self, code)

    def is_beyond_length(self, *, ends: bool) -> bool:
        """Whether the client broke its word on `content-length`."""
        if self.expected is None:
            return False
        return self.received > self.expected or (ends and self.received != self.expected)

    def take(self, content: bytes, *, ends: bool) -> None:
        """Give the handler what the client sent."""
        if ends:
            self.remote_ended = True
        handler = self.handler
        if handler is None:
            return
        if content:
            handler.data(content)
        if ends and not self.end_sent:
            handler.ended()
