"""One page of a longer list: which one was asked for, and where the next one is.

Source: reference 2.1. `offset` is opaque to clients; here it counts the items before the page.
"""

from collections.abc import Sequence
from typing import TypeVar
from urllib.parse import urlencode

from starlette.requests import Request

from kuma.api.errors import BadRequest, InvalidPage
from kuma.kit.value import value

DEFAULT_SIZE = 100
MAX_SIZE = 1000

T = TypeVar("T")


@value
class Page:
    size: int = DEFAULT_SIZE
    offset: int = 0

    def of(self, items: Sequence[T]) -> Sequence[T]:
        return items[self.offset : self.offset + self.size]

    def find_next_offset(self, total: int) -> int | None:
        """None if this page is the last."""
        following = self.offset + self.size
        return following if following < total else None


def parse_page(request: Request) -> Page:
    """Raises InvalidPage and BadRequest."""
    return Page(_parse_size(request.query_params.get("size", "")), _parse_offset(request))


def _parse_size(text: str) -> int:
    if not text:
        return DEFAULT_SIZE
    if not text.removeprefix("-").isascii() or not text.removeprefix("-").isdigit():
        raise InvalidPage("invalid format")
    size = int(text[:10])
    if size <= 0:
        raise InvalidPage("must be greater than 0")
    if size > MAX_SIZE:
        raise InvalidPage(f"invalid page size of {text}. Maximum page size is {MAX_SIZE}")
    return size


def _parse_offset(request: Request) -> int:
    text = request.query_params.get("offset", "")
    if not text:
        return 0
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise BadRequest("invalid offset, use the one of the link to the next page")
    return int(text)


def find_next_link(request: Request, page: Page, *, total: int, root_url: str) -> str | None:
    """The address of the next page, with the same query.

    # Differs from Kuma: behind a proxy with `apiServer.rootUrl` set, the link starts with that.
    """
    offset = page.find_next_offset(total)
    if offset is None:
        return None
    query = [(key, text) for key, text in request.query_params.multi_items() if key != "offset"]
    encoded = urlencode(sorted([*query, ("offset", str(offset))]))
    url = request.url
    base = root_url.rstrip("/") or f"{url.scheme}://{url.netloc}"
    return f"{base}{url.path}?{encoded}"
