"""Frames: numbers, limits and how they are written. Section numbers are of RFC 9113."""

from enum import IntEnum
from struct import Struct
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADER: Final = Struct(">HBBBL")
"""Length (16 + 8 bits), type, flags, stream."""
HEADER_SIZE: Final = 9
DEFAULT_FRAME_SIZE: Final = 16_384
LARGEST_FRAME_SIZE: Final = (1 << 24) - 1
DEFAULT_WINDOW: Final = 65_535
LARGEST_WINDOW: Final = (1 << 31) - 1


class Kind(IntEnum):
    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


class Flag(IntEnum):
    END_STREAM = 0x1
    ACK = 0x1
    END_HEADERS = 0x4
    PADDED = 0x8
    PRIORITY = 0x20


class Setting(IntEnum):
    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


class Code(IntEnum):
    """Error codes (section 7)."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    ENHANCE_YOUR_CALM = 11


class ConnectionFault(Exception):
    """The peer broke the protocol: the connection ends with a GOAWAY of this code."""

    def __init__(self, code: Code, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def expect(holds: bool, reason: str, code: Code = Code.PROTOCOL_ERROR) -> None:
    """Raises ConnectionFault."""
    if not holds:
        raise ConnectionFault(code, reason)


def unpadded(payload: bytes) -> bytes:
    """Strip the padding of DATA or HEADERS (6.1)."""
    expect(bool(payload), "padding without a length", Code.FRAME_SIZE_ERROR)
    padding = payload[0]
    expect(padding < len(payload), "more padding than payload")
    return payload[1 : len(payload) - padding]


def frame(kind: int, flags: int, stream: int, payload: bytes | memoryview = b"") -> bytes:
    size = len(payload)
    return HEADER.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


def settings(values: dict[Setting, int]) -> bytes:
    payload = b"".join(key.to_bytes(2) + value.to_bytes(4) for key, value in values.items())
    return frame(Kind.SETTINGS, 0, 0, payload)


def window_update(stream: int, increment: int) -> bytes:
    return frame(Kind.WINDOW_UPDATE, 0, stream, increment.to_bytes(4))


def reset(stream: int, code: Code) -> bytes:
    return frame(Kind.RST_STREAM, 0, stream, code.to_bytes(4))


def goaway(last_stream: int, code: Code, reason: str = "") -> bytes:
    return frame(
        Kind.GOAWAY, 0, 0, last_stream.to_bytes(4) + code.to_bytes(4) + reason.encode()[:256]
    )


SETTINGS_ACK: Final = frame(Kind.SETTINGS, Flag.ACK, 0)
