"""HTTP/1.1 as the Go kuma-dp speaks it, and as nobody should."""

import pytest

from kuma.xds.http1 import MAX_BODY, MAX_HEAD, Http1Connection, HttpRequest

POST = b"POST /bootstrap HTTP/1.1\r\nHost: cp:5678\r\nContent-Length: 5\r\n\r\nhello"


class Server:
    def __init__(self) -> None:
        self.requests: list[HttpRequest] = []
        self.wrote = b""
        self.connection = Http1Connection(self.requests.append, self.write)

    def write(self, data: bytes) -> None:
        self.wrote += data


def test_a_request_is_read_and_answered() -> None:
    server = Server()
    for byte in POST:
        server.connection.receive(bytes((byte,)))
    [request] = server.requests
    assert (request.method, request.path, request.body) == ("POST", "/bootstrap", b"hello")
    assert request.headers == {"host": "cp:5678", "content-length": "5"}
    server.connection.send((200, "application/json", b"{}"))
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    assert server.wrote == head
    assert not server.connection.is_over


def test_a_chunked_body_is_put_together() -> None:
    server = Server()
    head = b"POST /bootstrap HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    server.connection.receive(head + b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n")
    assert server.requests[0].body == b"hello"


def test_requests_are_answered_in_order() -> None:
    server = Server()
    server.connection.receive(POST + POST.replace(b"hello", b"again"))
    assert [each.body for each in server.requests] == [b"hello"]
    server.connection.send((200, "text/plain", b"1"))
    assert [each.body for each in server.requests] == [b"hello", b"again"]
    server.connection.send((404, "text/plain", b"2"))
    assert [line for line in server.wrote.split(b"\r\n") if b"HTTP/1.1" in line] == [
        b"HTTP/1.1 200 OK",
        b"1HTTP/1.1 404 Not Found",
    ]


def test_a_client_that_asks_for_permission_gets_it() -> None:
    server = Server()
    head, _, body = POST.partition(b"\r\n\r\n")
    server.connection.receive(head + b"\r\nExpect: 100-continue\r\n\r\n")
    assert server.wrote == b"HTTP/1.1 100 Continue\r\n\r\n"
    server.connection.receive(body)
    assert server.requests[0].body == b"hello"


def test_a_client_that_wants_to_close_is_closed() -> None:
    server = Server()
    server.connection.receive(POST.replace(b"Host:", b"Connection: close\r\nHost:"))
    server.connection.send((200, "text/plain", b""))
    assert b"connection: close" in server.wrote
    assert server.connection.is_over


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01 not HTTP\r\n\r\n", b"400 Bad Request"),
        (b"GET /" + b"x" * (MAX_HEAD + 1) + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * (MAX_HEAD + 1) + b"\r\n\r\n", b"431"),
        (
            b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1)
            + b"x" * (MAX_BODY + 1),
            b"413",
        ),
        (b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", b"400"),
        (POST * 12, b"429 Too Many Requests"),
    ],
    ids=["noise", "url", "headers", "body", "upgrade", "pipeline"],
)
def test_what_is_too_much_or_not_http_is_refused(sent: bytes, status: bytes) -> None:
    server = Server()
    server.connection.receive(sent)
    assert server.wrote.startswith(b"HTTP/1.1 " + status)
    assert server.connection.is_over
    server.connection.receive(POST)
    assert len(server.requests) <= 1
