"""Bytes as they come -> whole frames."""

from collections.abc import Iterator

from kuma.xds.http2.frames import (
    DEFAULT_FRAME_SIZE,
    HEADER,
    HEADER_SIZE,
    LARGEST_WINDOW,
    PREFACE,
    Code,
    ConnectionFault,
)

Frame = tuple[int, int, int, bytes]
"""Kind, flags, stream, payload."""


class FrameReader:
    def __init__(self) -> None:
        self._buffer = b""
        self._started = False

    def read(self, data: bytes) -> Iterator[Frame]:
        """What is whole; the rest is kept. To be read to its end, or never again. Raises
        ConnectionFault."""
        if self._buffer:
            data = self._buffer + data
        position, end = 0, len(data)
        if not self._started:
            position = self._start(data)
        while self._started and end - position >= HEADER_SIZE:
            high, low, kind, flags, stream_id = HEADER.unpack_from(data, position)
            size = high << 8 | low
            if size > DEFAULT_FRAME_SIZE:
                raise ConnectionFault(Code.FRAME_SIZE_ERROR, f"a frame of {size} bytes")
            after = position + HEADER_SIZE + size
            if after > end:
                break
            yield kind, flags, stream_id & LARGEST_WINDOW, data[position + HEADER_SIZE : after]
            position = after
        self._buffer = data[position:] if position < end else b""

    def _start(self, data: bytes) -> int:
        """Where the frames begin, once the whole preface is there (3.4)."""
        if not data.startswith(PREFACE[: len(data)]):
            raise ConnectionFault(Code.PROTOCOL_ERROR, "not an HTTP/2 preface")
        self._started = len(data) >= len(PREFACE)
        return len(PREFACE) if self._started else 0
