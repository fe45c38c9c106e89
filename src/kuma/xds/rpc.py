"""gRPC over HTTP/2: messages, statuses, and which method serves which path.

Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
Between `http2`, which knows streams of bytes, and `ads`, which knows requests and answers. One table
here turns statuses into numbers.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from struct import Struct
from typing import Final, Protocol
from urllib.parse import quote

from kuma.xds.http2.frames import Code
from kuma.xds.http2.headers import Headers, encode_headers
from kuma.xds.http2.stream import Stream

MAX_MESSAGE: Final = 4 * 1024 * 1024
"""The largest request accepted: gRPC's usual default."""

_PREFIX: Final = Struct(">BI")
_PREFIX_SIZE: Final = 5
_BASE: Final = (("content-type", "application/grpc"), ("grpc-accept-encoding", "identity"))
_OPENING: Final = encode_headers(((":status", "200"), *_BASE))
_PRINTABLE: Final = "".join(chr(c) for c in range(0x20, 0x7F) if chr(c) != "%")


class Status(IntEnum):
    """https://grpc.io/docs/guides/status-codes/"""

    OK = 0
    CANCELLED = 1
    INVALID_ARGUMENT = 3
    NOT_FOUND = 5
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


class Method(Protocol):
    """What serves one call. `message` gets whole messages."""

    def message(self, content: bytes) -> None: ...

    def half_closed(self) -> None:
        """The client will send no more messages."""

    def cancelled(self) -> None:
        """The client or the connection is gone; not called after `Call.finish`."""


class Call:
    """One call: a stream's handler below, a Method above."""

    __slots__ = (
        "_buffer",
        "_max_message",
        "_method",
        "_missing",
        "_opened",
        "_stream",
        "is_over",
        "metadata",
    )

    def __init__(
        self,
        stream: Stream,
        metadata: Headers,
        factory: Callable[["Call"], Method],
        *,
        max_message: int = MAX_MESSAGE,
    ) -> None:
        self._stream = stream
        self._buffer = bytearray()
        self._missing = _PREFIX_SIZE
        self._opened = False
        self._max_message = max_message
        self.is_over = False
        self.metadata: Mapping[str, str] = metadata
        self._method = factory(self)

    @property
    def is_blocked(self) -> bool:
        """The client has yet to take what it was sent."""
        return bool(self._stream.unsent) or self._stream.connection.is_paused

    def open(self) -> None:
        """Send the headers without waiting for the first message."""
        if not self._opened and not self.is_over:
            self._opened = True
            self._stream.send_headers(_OPENING)

    def send(self, messages: Sequence[bytes]) -> None:
        """Send messages with as few writes as possible."""
        if self.is_over:
            return
        outbox = self._stream.connection.outbox
        nested = outbox.is_corked
        if not nested:
            outbox.cork()
        self.open()
        for message in messages:
            self._stream.send_data(_PREFIX.pack(0, len(message)) + message)
        if not nested:
            outbox.uncork()

    def finish(self, status: Status, message: str = "") -> None:
        if self.is_over:
            return
        self.is_over = True
        trailers = [("grpc-status", str(int(status)))]
        if message:
            trailers.append(("grpc-message", quote(message, safe=_PRINTABLE)))
        opening = () if self._opened else ((":status", "200"), *_BASE)
        self._stream.send_headers(encode_headers((*opening, *trailers)), end=True)

    # What the stream tells

    def data(self, content: bytes) -> None:
        """A client may send a message byte by byte, so its bytes are copied when it is whole."""
        if self.is_over:
            return
        self._missing -= len(content)
        if self._missing > 0:
            self._buffer += content
            return
        buffer = bytes(self._buffer) + content if self._buffer else content
        position = 0
        while not self.is_over:
            after = self._find_end(buffer, position)
            self._missing = after - len(buffer)
            if self._missing > 0 or self.is_over:
                break
            self._method.message(buffer[position + _PREFIX_SIZE : after])
            position = after
        self._buffer = bytearray(buffer[position:])

    def ended(self) -> None:
        if self.is_over:
            return
        if self._buffer:
            self._refuse(Status.INTERNAL, "the stream ended within a message")
        else:
            self._method.half_closed()

    def closed(self, code: Code | None) -> None:
        if not self.is_over:
            self.is_over = True
            self._method.cancelled()

    def _find_end(self, buffer: bytes, position: int) -> int:
        """Where the message at `position` ends, or its prefix if that is not whole. Refuses what it
        announces if that cannot be taken."""
        start = position + _PREFIX_SIZE
        if start > len(buffer):
            return start
        compressed, size = _PREFIX.unpack_from(buffer, position)
        if compressed:
            self._refuse(Status.UNIMPLEMENTED, "compressed messages are not supported")
        elif size > self._max_message:
            text = f"a message of {size} bytes is larger than the limit of {self._max_message}"
            self._refuse(Status.RESOURCE_EXHAUSTED, text)
        return start + int(size)

    def _refuse(self, status: Status, message: str) -> None:
        self.finish(status, message)
        self._method.cancelled()


class Nothing:
    """Serves a call that was refused."""

    def message(self, content: bytes) -> None: ...

    def half_closed(self) -> None: ...

    def cancelled(self) -> None: ...


class Methods:
    """The methods by path; requests that cannot be served are refused with a status."""

    def __init__(
        self, methods: Mapping[str, Callable[[Call], Method]], *, max_message: int = MAX_MESSAGE
    ) -> None:
        self._methods = methods
        self._max_message = max_message

    def call(self, stream: Stream, headers: Headers) -> Call:
        path, encoding = headers[":path"], headers.get("grpc-encoding", "identity")
        factory = self._methods.get(path)
        if factory is not None and headers[":method"] == "POST" and encoding == "identity":
            return Call(stream, headers, factory, max_message=self._max_message)
        call = Call(stream, headers, lambda _: Nothing())
        if factory is None:
            call.finish(Status.UNIMPLEMENTED, f"there is no method {path}")
        elif encoding != "identity":
            call.finish(Status.UNIMPLEMENTED, f"encoding {encoding} is not supported")
        else:
            call.finish(Status.INTERNAL, "gRPC requests are POST")
        return call


def is_grpc(headers: Headers) -> bool:
    content_type = headers.get("content-type", "")
    return content_type == "application/grpc" or content_type.startswith((
        "application/grpc+", "application/grpc;",
    ))  # fmt: skip
