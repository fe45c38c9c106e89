"""HTTP/1.1, as much as `POST /bootstrap` needs: the Go kuma-dp asks for its bootstrap so, on the port
where Envoy speaks HTTP/2. No I/O: the owner passes bytes in and writes what comes out.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

import httptools
import structlog

MAX_BODY: Final = 1024 * 1024
"""A Dataplane with ten thousand outbounds fits."""
MAX_HEAD: Final = 64 * 1024
_PIPELINED: Final = 8

Answer = tuple[int, str, bytes]
"""Status, content type, body."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class HttpRequest:
    method: str = ""
    path: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    keep_alive: bool = True


class Routes:
    """The little that is served besides gRPC, over both versions of HTTP: POSTs, by their path."""

    def __init__(
        self, posts: Mapping[str, Callable[[bytes, Mapping[str, str]], Awaitable[Answer]]]
    ) -> None:
        self._posts = posts

    async def answer(self, request: HttpRequest) -> Answer:
        post = self._posts.get(request.path.partition("?")[0])
        if post is None:
            return plain(404)
        if request.method != "POST":
            return plain(405)
        try:
            return await post(request.body, request.headers)
        except Exception:
            log.exception("a request of a proxy failed", path=request.path)
            return plain(500)


class Http1Connection:
    """Reads requests; calls `respond` for one at a time, in order."""

    def __init__(
        self, respond: Callable[[HttpRequest], None], write: Callable[[bytes], None]
    ) -> None:
        self._respond = respond
        self._write = write
        self._parser = httptools.HttpRequestParser(self)
        self._request = HttpRequest()
        self._url = b""
        self._body: list[bytes] = []
        self._size = 0
        self._waiting: list[HttpRequest] = []
        self._refused: HTTPStatus | None = None
        self._serving: HttpRequest | None = None
        self.is_over = False

    @property
    def is_serving(self) -> bool:
        return self._serving is not None

    def receive(self, data: bytes) -> None:
        if self.is_over:
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse(self._refused or HTTPStatus.BAD_REQUEST)

    def send(self, answer: Answer, *, close: bool = False) -> None:
        """Answer the request that is being served, then go on with the next."""
        request, self._serving = self._serving, None
        if request is None or self.is_over:
            return
        self.is_over = close or not request.keep_alive
        self._write(_serialized(answer, close=self.is_over))
        if self._waiting and not self.is_over:
            self._serve(self._waiting.pop(0))

    def on_message_begin(self) -> None:
        self._request, self._url, self._body, self._size = HttpRequest(), b"", [], 0

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._grow(len(url), MAX_HEAD, HTTPStatus.REQUEST_URI_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._request.headers[name.decode("latin-1").lower()] = value.decode("latin-1")
        large = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        self._grow(len(name) + len(value), MAX_HEAD, large)

    def on_headers_complete(self) -> None:
        self._size = 0
        if self._parser.should_upgrade():
            raise ValueError("upgrades are not supported")
        if self._request.headers.get("expect", "").lower() == "100-continue":
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body.append(body)
        self._grow(len(body), MAX_BODY, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    def on_message_complete(self) -> None:
        request = self._request
        request.method = self._parser.get_method().decode("latin-1")
        request.path = self._url.decode("latin-1")
        request.body = b"".join(self._body)
        request.keep_alive = self._parser.should_keep_alive()
        self._body = []
        if self._serving is None:
            self._serve(request)
        elif len(self._waiting) < _PIPELINED:
            self._waiting.append(request)
        else:
            self._refused = HTTPStatus.TOO_MANY_REQUESTS
            raise ValueError(self._refused.phrase)

    def _serve(self, request: HttpRequest) -> None:
        self._serving = request
        self._respond(request)

    def _grow(self, by: int, limit: int, refusal: HTTPStatus) -> None:
        """Raising makes the parser stop; `receive` then answers with the refusal."""
        self._size += by
        if self._size > limit:
            self._refused = refusal
            raise ValueError(refusal.phrase)

    def _refuse(self, status: HTTPStatus) -> None:
        self.is_over = True
        self._write(_serialized(plain(status), close=True))


def plain(code: int) -> Answer:
    """The status and its phrase."""
    status = HTTPStatus(code)
    return status.value, "text/plain; charset=utf-8", f"{status.phrase}\n".encode()


def _serialized(answer: Answer, *, close: bool) -> bytes:
    status, content_type, body = answer
    head = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"content-type: {content_type}",
        f"content-length: {len(body)}",
    ]
    if close:
        head.append("connection: close")
    return "\r\n".join((*head, "", "")).encode("latin-1") + body
