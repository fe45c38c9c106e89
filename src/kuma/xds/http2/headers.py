"""Header lists: reading those of clients with their rules, writing ours.

What we write is literal, without indexing and without Huffman coding (RFC 7541, 6.2.2), so that it
needs no state and the common cases are constants.
"""

from collections.abc import Iterable
from typing import Final

from hpack import Decoder, HPACKError

from kuma.xds.http2.frames import Code, ConnectionFault

Headers = dict[str, str]

_REQUEST_PSEUDO: Final = frozenset({":method", ":scheme", ":path", ":authority"})
_OF_A_CONNECTION: Final = frozenset({
    "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade",
})  # fmt: skip


class MalformedHeaders(Exception):
    """The stream ends with PROTOCOL_ERROR (RFC 9113, 8.1.1)."""


def encode_headers(headers: Iterable[tuple[str, str]]) -> bytes:
    parts = []
    for name, value in headers:
        parts.append(b"\x00")
        parts.append(_string(name.encode()))
        parts.append(_string(value.encode("latin-1", "replace")))
    return b"".join(parts)


def decode_block(decoder: Decoder, block: bytes) -> list[tuple[bytes, bytes]]:
    """Raises ConnectionFault: a block that cannot be read leaves the two tables out of step."""
    try:
        return [(bytes(name), bytes(value)) for name, value in decoder.decode(block, raw=True)]
    except HPACKError as error:
        raise ConnectionFault(Code.COMPRESSION_ERROR, f"header block: {error}") from error


def request_headers(pairs: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Check a request's headers (8.2, 8.3) and join repeated ones. Raises MalformedHeaders."""
    headers: Headers = {}
    regular = False
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name.startswith(":"):
            if regular or name not in _REQUEST_PSEUDO or name in headers:
                raise MalformedHeaders(f"unexpected {name}")
            headers[name] = value
            continue
        regular = True
        _check_field(name, value)
        known = headers.get(name)
        separator = "; " if name == "cookie" else ","
        headers[name] = value if known is None else f"{known}{separator}{value}"
    if not {":method", ":scheme", ":path"} <= headers.keys() or not headers[":path"]:
        raise MalformedHeaders("a request needs :method, :scheme and :path")
    if "host" not in headers and ":authority" in headers:
        headers["host"] = headers[":authority"]
    return headers


def check_trailers(pairs: Iterable[tuple[bytes, bytes]]) -> None:
    for raw_name, raw_value in pairs:
        name = raw_name.decode("latin-1")
        if name.startswith(":"):
            raise MalformedHeaders(f"{name} in trailers")
        _check_field(name, raw_value.decode("latin-1"))


def _check_field(name: str, value: str) -> None:
    if not name or name != name.lower() or not name.isprintable() or " " in name:
        raise MalformedHeaders(f"bad header name {name!r}")
    if name in _OF_A_CONNECTION or (name == "te" and value != "trailers"):
        raise MalformedHeaders(f"{name} is of a connection")
    if "\0" in value or "\r" in value or "\n" in value:
        raise MalformedHeaders(f"bad value of {name}")


def _string(text: bytes) -> bytes:
    size = len(text)
    if size < 127:
        return bytes((size,)) + text
    size -= 127
    groups = bytearray((127,))
    while size >= 0x80:
        groups.append(size & 0x7F | 0x80)
        size >>= 7
    groups.append(size)
    return bytes(groups) + text
