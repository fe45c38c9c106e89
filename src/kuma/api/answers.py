"""Successful answers: JSON, and lists that are joined from documents which are bytes already."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic_core import to_json
from starlette.responses import Response

JSON = "application/json"
_SLICE_ITEMS, _SLICE_BYTES = 200, 256 * 1024
"""What is between two chances for other work of the event loop, whichever is reached first."""

T = TypeVar("T")


def json_answer(content: object, *, status: int = 200) -> Response:
    """Indented, for people with curl."""
    return Response(to_json(content, indent=1), status_code=status, media_type=JSON)


def document_answer(document: bytes) -> Response:
    return Response(document, media_type=JSON)


def text_answer(text: str | bytes, *, media_type: str = "text/plain") -> Response:
    return Response(text, media_type=media_type)


async def list_answer(
    items: Sequence[T],
    to_bytes: Callable[[T], bytes],
    *,
    total: int,
    next_link: str | None,
    says_last: bool = True,
) -> Response:
    """`items` are those of the page, `total` counts all of them. `says_last`: a last page has `next`,
    which is null."""
    parts: list[bytes] = []
    slice_items = slice_bytes = 0
    for item in items:
        parts.append(part := to_bytes(item))
        slice_items, slice_bytes = slice_items + 1, slice_bytes + len(part)
        if slice_items >= _SLICE_ITEMS or slice_bytes >= _SLICE_BYTES:
            slice_items = slice_bytes = 0
            await asyncio.sleep(0)
    following = b',"next":%b' % to_json(next_link) if next_link or says_last else b""
    body = b'{"total":%d,"items":[%b]%b}' % (total, b",".join(parts), following)
    return Response(body, media_type=JSON)


def to_bytes(content: Mapping[str, Any]) -> bytes:
    return to_json(content)
