"""Header blocks, each in one frame or in several, between which nothing else may come (6.10)."""

from typing import Final, NamedTuple

from hpack import Decoder

from kuma.xds.http2.frames import (
    LARGEST_WINDOW,
    Code,
    ConnectionFault,
    Flag,
    Kind,
    expect,
    unpadded,
)
from kuma.xds.http2.headers import decode_block

_TABLE: Final = 4096


class Block(NamedTuple):
    """`ends`: nothing more comes on the stream."""

    stream_id: int
    pairs: list[tuple[bytes, bytes]]
    ends: bool


class HeaderBlocks:
    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._decoder = Decoder(max_header_list_size=largest)
        self._decoder.max_allowed_table_size = _TABLE
        self._parts: list[bytes] | None = None
        self._stream_id = 0
        self._ends = False
        self._size = 0

    def check(self, kind: int, stream_id: int) -> None:
        """A frame of this kind comes next."""
        if self._parts is not None and (kind != Kind.CONTINUATION or stream_id != self._stream_id):
            raise ConnectionFault(Code.PROTOCOL_ERROR, "a header block was interrupted")

    def begin(self, flags: int, stream_id: int, payload: bytes) -> Block | None:
        """HEADERS; None: more of it will come."""
        expect(stream_id & 1 == 1, "a client's streams have odd numbers")
        if flags & Flag.PADDED:
            payload = unpadded(payload)
        if flags & Flag.PRIORITY:
            expect(len(payload) >= 5, "short HEADERS", Code.FRAME_SIZE_ERROR)
            depends_on = int.from_bytes(payload[:4]) & LARGEST_WINDOW
            expect(depends_on != stream_id, "a stream that depends on itself")
            payload = payload[5:]
        self._parts = [payload]
        self._size = len(payload)
        self._stream_id = stream_id
        self._ends = bool(flags & Flag.END_STREAM)
        return self._whole() if flags & Flag.END_HEADERS else None

    def go_on(self, flags: int, payload: bytes) -> Block | None:
        """CONTINUATION; None: more of it will come."""
        if self._parts is None:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "CONTINUATION without HEADERS")
        self._parts.append(payload)
        self._size += len(payload)
        if self._size > self._largest:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "header block too large")
        return self._whole() if flags & Flag.END_HEADERS else None

    def _whole(self) -> Block:
        block, self._parts = b"".join(self._parts or ()), None
        return Block(self._stream_id, decode_block(self._decoder, block), self._ends)
