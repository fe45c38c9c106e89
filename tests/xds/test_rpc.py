"""gRPC's messages are whole, however the bytes arrive, and cost no more than their length."""

from struct import pack

from hypothesis import given
from hypothesis import strategies as st

from kuma.xds.http2.headers import Headers
from kuma.xds.http2.stream import Stream
from kuma.xds.rpc import Call, Methods
from tests.xds.test_http2 import Server, headers, raw


class Recorder:
    """A method that remembers its messages."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.messages: list[bytes] = []
        self.is_cancelled = False

    def message(self, content: bytes) -> None:
        self.messages.append(content)

    def half_closed(self) -> None: ...

    def cancelled(self) -> None:
        self.is_cancelled = True


class GrpcServer(Server):
    """A server of the one method that the requests of these tests name."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Recorder] = []
        self.methods = Methods({"/service/Method": self.called}, max_message=1 << 20)

    def called(self, call: Call) -> Recorder:
        self.calls.append(Recorder(call))
        return self.calls[-1]

    def request(self, stream: Stream, headers: Headers) -> Call:  # type: ignore[override]
        return self.methods.call(stream, headers)


def a_call() -> Recorder:
    server = GrpcServer()
    raw(server, headers(1))
    return server.calls[0]


def framed(*messages: bytes) -> bytes:
    return b"".join(pack(">BI", 0, len(each)) + each for each in messages)


@given(st.lists(st.binary(max_size=30), max_size=6), st.lists(st.integers(1, 20), min_size=1))
def test_messages_are_whole_however_their_bytes_arrive(
    messages: list[bytes], sizes: list[int]
) -> None:
    called, sent, position = a_call(), framed(*messages), 0
    while position < len(sent):
        size = sizes[position % len(sizes)]
        called.call.data(sent[position : position + size])
        position += size

    assert called.messages == messages


def test_a_large_message_byte_by_byte_is_read_in_linear_time() -> None:
    """Copying what is there with each byte would move half a terabyte."""
    called, content = a_call(), bytes(1 << 20)
    for byte in framed(content):
        called.call.data(bytes((byte,)))

    assert called.messages == [content]


def test_nothing_after_a_refused_message_is_read() -> None:
    called = a_call()

    called.call.data(framed(b"first") + pack(">BI", 0, (1 << 20) + 1) + framed(b"later"))
    called.call.data(framed(b"last"))

    assert called.messages == [b"first"]
    assert called.is_cancelled
