"""The HTTP/2 layer against the `h2` library as client, and against frames that no client sends."""

from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuma.xds.http2 import frames
from kuma.xds.http2.connection import Http2Connection
from kuma.xds.http2.frames import Code, Flag, Kind, Setting, frame
from kuma.xds.http2.headers import Headers, encode_headers
from kuma.xds.http2.limits import Http2Limits
from kuma.xds.http2.stream import Stream

REQUEST = [
    (":method", "POST"),
    (":scheme", "https"),
    (":path", "/service/Method"),
    (":authority", "cp:5678"),
    ("content-type", "application/grpc"),
    ("te", "trailers"),
]
BLOCK = encode_headers(REQUEST)
OPENING = encode_headers([(":status", "200")])
TRAILERS = encode_headers([("grpc-status", "0")])


@dataclass
class Heard:
    """What one stream's handler was told."""

    stream: Stream
    headers: Headers
    content: bytes = b""
    events: list[str] = field(default_factory=list)

    def data(self, content: bytes) -> None:
        self.content += content

    def ended(self) -> None:
        self.events.append("ended")

    def closed(self, code: Code | None) -> None:
        self.events.append("lost" if code is None else code.name)


class Server:
    """A connection whose application remembers its requests."""

    def __init__(self, limits: Http2Limits | None = None) -> None:
        self.requests: list[Heard] = []
        self.wrote = bytearray()
        self.now = 0.0
        self.connection = Http2Connection(
            self, self.wrote.extend, now=lambda: self.now, limits=limits
        )
        self.connection.start()

    def request(self, stream: Stream, headers: Headers) -> Heard:
        heard = Heard(stream, headers)
        self.requests.append(heard)
        return heard

    def take(self) -> bytes:
        wrote = bytes(self.wrote)
        self.wrote.clear()
        return wrote

    def frames(self) -> list[tuple[int, int, int, bytes]]:
        """What was written since the last time, as kind, flags, stream, payload."""
        return split(self.take())


def split(data: bytes) -> list[tuple[int, int, int, bytes]]:
    found = []
    while data:
        high, low, kind, flags, stream = frames.HEADER.unpack_from(data)
        size = high << 8 | low
        found.append((kind, flags, stream, data[9 : 9 + size]))
        data = data[9 + size :]
    return found


class Peer:
    """A client by the `h2` library, connected to a Server without a network."""

    def __init__(
        self, server: Server | None = None, settings: dict[int, int] | None = None
    ) -> None:
        self.server = server or Server()
        config = h2.config.H2Configuration(client_side=True)
        self.h2 = h2.connection.H2Connection(config)
        if settings:
            self.h2.local_settings = h2.settings.Settings(client=True, initial_values=settings)
        self.h2.initiate_connection()
        self.exchange()

    def exchange(self) -> list[h2.events.Event]:
        """Carry bytes both ways until both are silent."""
        events: list[h2.events.Event] = []
        while True:
            out = self.h2.data_to_send()
            if out:
                self.server.connection.receive(out)
            back = self.server.take()
            if not out and not back:
                return events
            events += self.h2.receive_data(back)

    def ask(self, *, end: bool = False) -> Heard:
        self.h2.send_headers(self.h2.get_next_available_stream_id(), REQUEST, end_stream=end)
        self.exchange()
        return self.server.requests[-1]


def raw(server: Server, *sent: bytes) -> list[tuple[int, int, int, bytes]]:
    server.frames()
    server.connection.receive(frames.PREFACE + frames.settings({}) + b"".join(sent))
    return server.frames()


def headers(stream: int, *, end: bool = False, block: bytes = BLOCK) -> bytes:
    flags = Flag.END_HEADERS | (Flag.END_STREAM if end else 0)
    return frame(Kind.HEADERS, flags, stream, block)


def goaway_code(written: list[tuple[int, int, int, bytes]]) -> Code | None:
    codes = [Code(int.from_bytes(p[4:8])) for kind, _, _, p in written if kind == Kind.GOAWAY]
    return codes[0] if codes else None


def test_a_request_is_answered_with_headers_data_and_trailers() -> None:
    peer = Peer()
    heard = peer.ask()
    peer.h2.send_data(1, b"hello", end_stream=True)
    peer.exchange()
    assert (heard.content, heard.events) == (b"hello", ["ended"])
    assert heard.headers[":path"] == "/service/Method"
    heard.stream.send_headers(OPENING)
    heard.stream.send_data(b"answer")
    heard.stream.send_headers(TRAILERS, end=True)
    kinds = [type(each).__name__ for each in peer.exchange()]
    assert kinds == ["ResponseReceived", "DataReceived", "TrailersReceived", "StreamEnded"]


def test_an_answer_that_ends_first_tells_the_client_to_stop_sending() -> None:
    server = Server()
    raw(server, headers(1))
    server.requests[0].stream.send_headers(TRAILERS, end=True)
    assert [(kind, stream) for kind, _, stream, _ in server.frames()] == [
        (Kind.HEADERS, 1),
        (Kind.RST_STREAM, 1),
    ]
    assert goaway_code(raw_again(server, frame(Kind.DATA, 0, 1, b"late"))) is None


def raw_again(server: Server, *sent: bytes) -> list[tuple[int, int, int, bytes]]:
    server.connection.receive(b"".join(sent))
    return server.frames()


def test_bytes_may_arrive_one_by_one() -> None:
    server = Server()
    sent = frames.PREFACE + frames.settings({}) + headers(1) + frame(Kind.DATA, 1, 1, b"x" * 300)
    for byte in sent:
        server.connection.receive(bytes((byte,)))
    assert (server.requests[0].content, server.requests[0].events) == (b"x" * 300, ["ended"])


@given(
    st.lists(st.integers(1, 70_000), min_size=1, max_size=5),
    st.integers(1, 40_000),
    st.lists(st.integers(1, 90_000), min_size=1, max_size=30),
)
def test_an_answer_arrives_whole_through_small_windows(
    sizes: list[int], window: int, steps: list[int]
) -> None:
    """Whatever the peer's windows, what arrives is what was sent, in order, never too much."""
    server = Server()
    raw(server, frames.settings({Setting.INITIAL_WINDOW_SIZE: window}), headers(1))
    messages = [bytes((65 + at,)) * size for at, size in enumerate(sizes)]
    stream = server.requests[0].stream
    stream.send_headers(OPENING)
    for message in messages:
        stream.send_data(message)
    stream.send_headers(TRAILERS, end=True)
    got, room, room_of_all, ended = b"", window, 65_535, False
    more = iter([*steps, *[100_000] * 10])
    while not ended:
        for kind, flags, _, payload in server.frames():
            if kind == Kind.DATA:
                got += payload
                room, room_of_all = room - len(payload), room_of_all - len(payload)
                assert room >= 0
                assert room_of_all >= 0
            ended = ended or bool(kind == Kind.HEADERS and flags & Flag.END_STREAM)
        if not ended:
            step = next(more)
            room, room_of_all = room + step, room_of_all + step
            server.connection.receive(frames.window_update(1, step))
            server.connection.receive(frames.window_update(0, step))
    assert got == b"".join(messages)


def test_a_blocked_stream_does_not_block_another() -> None:
    server = Server()
    raw(server, frames.settings({Setting.INITIAL_WINDOW_SIZE: 10}), headers(1), headers(3))
    first, second = (each.stream for each in server.requests)
    first.send_data(b"x" * 50)
    second.send_data(b"y" * 5)
    sizes = [(stream, len(payload)) for _, _, stream, payload in server.frames()]
    assert sizes == [(1, 10), (3, 5)]
    assert first.unsent


def test_a_smaller_initial_window_counts_for_open_streams() -> None:
    server = Server()
    raw(server, headers(1))
    stream = server.requests[0].stream
    stream.send_data(b"x" * 100)
    raw_again(server, frames.settings({Setting.INITIAL_WINDOW_SIZE: 50}))
    stream.send_data(b"y" * 10)
    assert server.frames() == []
    raw_again(server, frames.settings({Setting.INITIAL_WINDOW_SIZE: 200}))
    assert not stream.unsent


def test_frames_are_as_large_as_the_peer_takes_them() -> None:
    server = Server()
    raw(server, frames.settings({Setting.MAX_FRAME_SIZE: 20_000}), headers(1))
    server.requests[0].stream.send_data(b"x" * 50_000)
    assert [len(payload) for *_, payload in server.frames()] == [20_000, 20_000, 10_000]


def test_what_is_received_opens_the_windows_again() -> None:
    peer = Peer(Server(Http2Limits(window=70_000)))
    heard = peer.ask()
    for _ in range(40):
        peer.h2.send_data(1, b"x" * 16_000)
        peer.exchange()
    assert len(heard.content) == 640_000


def test_padding_and_priorities_are_stripped() -> None:
    server = Server()
    flags = Flag.END_HEADERS | Flag.PADDED | Flag.PRIORITY
    block = b"\x03" + (0).to_bytes(4) + b"\x10" + BLOCK + b"\0" * 3
    padded = frame(Kind.DATA, Flag.PADDED | Flag.END_STREAM, 1, b"\x02hi\0\0")
    raw(server, frame(Kind.HEADERS, flags, 1, block), padded)
    assert (server.requests[0].content, server.requests[0].events) == (b"hi", ["ended"])


def test_a_header_block_may_come_in_parts() -> None:
    server = Server()
    parts = [BLOCK[:5], BLOCK[5:9], BLOCK[9:]]
    sent = frame(Kind.HEADERS, 0, 1, parts[0])
    sent += frame(Kind.CONTINUATION, 0, 1, parts[1])
    sent += frame(Kind.CONTINUATION, Flag.END_HEADERS, 1, parts[2])
    raw(server, sent)
    assert server.requests[0].headers[":authority"] == "cp:5678"


def test_long_headers_of_ours_are_split() -> None:
    server = Server()
    raw(server, headers(1))
    block = encode_headers([("grpc-message", "x" * 40_000)])
    server.requests[0].stream.send_headers(block, end=True)
    written = server.frames()
    kinds = [kind for kind, *_ in written]
    assert kinds == [Kind.HEADERS, Kind.CONTINUATION, Kind.CONTINUATION, Kind.RST_STREAM]
    assert [flags for _, flags, *_ in written][:3] == [Flag.END_STREAM, 0, Flag.END_HEADERS]


def test_trailers_of_the_client_end_its_side() -> None:
    server = Server()
    raw(server, headers(1), headers(1, end=True, block=encode_headers([("x-checksum", "1")])))
    assert server.requests[0].events == ["ended"]


def test_a_ping_is_answered_and_ours_is_counted() -> None:
    peer = Peer()
    peer.h2.ping(b"12345678")
    acknowledged = [e for e in peer.exchange() if isinstance(e, h2.events.PingAckReceived)]
    assert acknowledged[0].ping_data == b"12345678"
    peer.server.connection.ping()
    peer.exchange()
    assert peer.server.connection.pongs == 1


def test_a_reset_by_the_client_closes_the_stream() -> None:
    peer = Peer()
    heard = peer.ask()
    peer.h2.reset_stream(1, error_code=Code.CANCEL)
    peer.exchange()
    assert heard.events == ["CANCEL"]
    heard.stream.send_data(b"into the void")
    assert peer.server.frames() == []


def test_a_lost_transport_closes_all_streams_once() -> None:
    peer = Peer()
    first, second = peer.ask(), peer.ask()
    peer.server.connection.lost()
    peer.server.connection.lost()
    assert first.events == second.events == ["lost"]


def test_draining_takes_no_new_streams_and_lets_the_open_ones_end() -> None:
    server = Server()
    raw(server, headers(1))
    server.connection.drain()
    [(kind, _, _, payload)] = server.frames()
    assert (kind, int.from_bytes(payload[:4]), payload[4:8]) == (Kind.GOAWAY, 1, b"\0\0\0\0")
    late = [headers(3), frame(Kind.DATA, 0, 3, b"x"), frames.window_update(3, 5)]
    assert raw_again(server, *late, frames.reset(3, Code.CANCEL)) == []
    assert len(server.requests) == 1
    server.requests[0].stream.send_data(b"bye", end=True)
    assert [kind for kind, *_ in server.frames()] == [Kind.DATA, Kind.RST_STREAM]


def test_a_stream_too_many_is_refused() -> None:
    server = Server(Http2Limits(streams=1))
    written = raw(server, headers(1), headers(3))
    assert written[-1] == (Kind.RST_STREAM, 0, 3, Code.REFUSED_STREAM.to_bytes(4))
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "block",
    [
        encode_headers(REQUEST[1:]),
        encode_headers([*REQUEST, (":path", "/again")]),
        encode_headers([*REQUEST, ("Upper", "case")]),
        encode_headers([*REQUEST, ("connection", "close")]),
        encode_headers([*REQUEST, ("te", "gzip")]),
        encode_headers([*REQUEST[:3], ("x", "y"), (":authority", "late")]),
        encode_headers([*REQUEST, ("x", "a\r\nb")]),
        encode_headers([*REQUEST, (":status", "200")]),
        encode_headers([*REQUEST, ("content-length", "-1")]),
    ],
    ids=["method", "twice", "upper", "connection", "te", "late", "newline", "status", "length"],
)
def test_malformed_headers_cost_the_stream(block: bytes) -> None:
    server = Server()
    written = raw(server, headers(1, block=block), headers(3))
    assert (Kind.RST_STREAM, 0, 1, Code.PROTOCOL_ERROR.to_bytes(4)) in written
    assert [each.stream.id for each in server.requests] == [3]


def test_less_data_than_promised_costs_the_stream() -> None:
    server = Server()
    block = encode_headers([*REQUEST, ("content-length", "5")])
    raw(server, headers(1, block=block), frame(Kind.DATA, Flag.END_STREAM, 1, b"four"))
    assert server.requests[0].events == ["PROTOCOL_ERROR"]


FAULTS = {
    "no preface": (b"GET / HTTP/1.1\r\n\r\n" + b" " * 20, Code.PROTOCOL_ERROR),
    "data on the connection": (frame(Kind.DATA, 0, 0, b"x"), Code.PROTOCOL_ERROR),
    "data on an idle stream": (frame(Kind.DATA, 0, 1, b"x"), Code.PROTOCOL_ERROR),
    "an even stream": (headers(2), Code.PROTOCOL_ERROR),
    "a stream backwards": (headers(3) + headers(1), Code.STREAM_CLOSED),
    "a frame too large": (frame(Kind.DATA, 0, 1, b"x" * 16_385), Code.FRAME_SIZE_ERROR),
    "padding beyond the frame": (
        headers(1) + frame(Kind.DATA, Flag.PADDED, 1, b"\x05abc"),
        Code.PROTOCOL_ERROR,
    ),
    "padding without length": (
        headers(1) + frame(Kind.DATA, Flag.PADDED, 1, b""),
        Code.FRAME_SIZE_ERROR,
    ),
    "a block interrupted": (
        frame(Kind.HEADERS, 0, 1, BLOCK) + frame(Kind.PING, 0, 0, b"x" * 8),
        Code.PROTOCOL_ERROR,
    ),
    "continuation of nothing": (frame(Kind.CONTINUATION, 4, 1, BLOCK), Code.PROTOCOL_ERROR),
    "an unreadable block": (headers(1, block=b"\xff\xff\xff"), Code.COMPRESSION_ERROR),
    "a stream on itself": (
        frame(Kind.HEADERS, Flag.END_HEADERS | Flag.PRIORITY, 1, b"\0\0\0\x01\x10" + BLOCK),
        Code.PROTOCOL_ERROR,
    ),
    "ping on a stream": (frame(Kind.PING, 0, 1, b"x" * 8), Code.PROTOCOL_ERROR),
    "ping of a wrong size": (frame(Kind.PING, 0, 0, b"x"), Code.FRAME_SIZE_ERROR),
    "settings on a stream": (frame(Kind.SETTINGS, 0, 1), Code.PROTOCOL_ERROR),
    "settings of a wrong size": (frame(Kind.SETTINGS, 0, 0, b"x"), Code.FRAME_SIZE_ERROR),
    "settings acknowledged with content": (
        frame(Kind.SETTINGS, 1, 0, b"x" * 6),
        Code.FRAME_SIZE_ERROR,
    ),
    "a push setting of 2": (frames.settings({Setting.ENABLE_PUSH: 2}), Code.PROTOCOL_ERROR),
    "a frame setting too small": (
        frames.settings({Setting.MAX_FRAME_SIZE: 100}),
        Code.PROTOCOL_ERROR,
    ),
    "a window setting too large": (
        frames.settings({Setting.INITIAL_WINDOW_SIZE: 1 << 31}),
        Code.FLOW_CONTROL_ERROR,
    ),
    "a window that overflows": (
        frames.window_update(0, (1 << 31) - 1),
        Code.FLOW_CONTROL_ERROR,
    ),
    "a window by nothing": (frames.window_update(0, 0), Code.PROTOCOL_ERROR),
    "a window of an idle stream": (frames.window_update(1, 5), Code.PROTOCOL_ERROR),
    "a reset of an idle stream": (frames.reset(1, Code.CANCEL), Code.PROTOCOL_ERROR),
    "a reset of the connection": (frames.reset(0, Code.CANCEL), Code.PROTOCOL_ERROR),
    "a push": (frame(Kind.PUSH_PROMISE, 4, 1, b"x" * 8), Code.PROTOCOL_ERROR),
    "a flood of pings": (frame(Kind.PING, 0, 0, b"x" * 8) * 2_001, Code.ENHANCE_YOUR_CALM),
    "a flood of settings": (frames.settings({}) * 2_001, Code.ENHANCE_YOUR_CALM),
    "a flood of nothing": (
        headers(1) + frame(Kind.DATA, 0, 1) * 2_001,
        Code.ENHANCE_YOUR_CALM,
    ),
    "rapid resets": (
        b"".join(headers(n) + frames.reset(n, Code.CANCEL) for n in range(1, 801, 2)),
        Code.ENHANCE_YOUR_CALM,
    ),
    "an endless block": (
        frame(Kind.HEADERS, 0, 1, BLOCK) + frame(Kind.CONTINUATION, 0, 1, b"\0" * 16_000) * 5,
        Code.ENHANCE_YOUR_CALM,
    ),
    "headers too large": (
        b"".join(
            [
                frame(Kind.HEADERS, 0, 1, BLOCK + b"\x82" * 3_000),
                frame(Kind.CONTINUATION, Flag.END_HEADERS, 1, b"\x82" * 3_000),
            ]
        ),
        Code.COMPRESSION_ERROR,
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_ends_the_connection_with_its_code(fault: str) -> None:
    sent, code = FAULTS[fault]
    server = Server()
    start = b"" if fault == "no preface" else frames.PREFACE + frames.settings({})
    server.frames()
    server.connection.receive(start + sent)
    assert (goaway_code(server.frames()), server.connection.is_over) == (code, True)


@pytest.mark.parametrize("late", [headers(1, end=True), frame(Kind.DATA, 0, 1, b"x")])
def test_a_client_that_goes_on_after_its_end_loses_the_stream(late: bytes) -> None:
    server = Server()
    raw(server, headers(1, end=True), late)
    assert server.requests[0].events == ["ended", "STREAM_CLOSED"]


def test_a_stream_window_that_overflows_costs_the_stream() -> None:
    server = Server()
    raw(server, headers(1), frames.window_update(1, (1 << 31) - 1))
    assert server.requests[0].events == ["FLOW_CONTROL_ERROR"]


def test_a_calm_client_may_ping_for_ever() -> None:
    server = Server()
    raw(server)
    for _ in range(50):
        server.now += 10
        assert goaway_code(raw_again(server, frame(Kind.PING, 0, 0, b"x" * 8) * 100)) is None


def test_unknown_frames_settings_and_goaways_are_ignored() -> None:
    server = Server()
    sent = [
        frame(0xBE, 0xFF, 0, b"future"),
        frame(Kind.SETTINGS, 0, 0, b"\0\x99\0\0\0\x01"),
        frame(Kind.PRIORITY, 0, 1, b"\0\0\0\0\x10"),
        frames.goaway(0, Code.NO_ERROR, "bye"),
    ]
    written = raw(server, *sent)
    assert goaway_code(written) is None
    assert not server.connection.is_over


@given(st.binary(max_size=400))
def test_noise_never_raises(noise: bytes) -> None:
    server = Server()
    raw(server, headers(1), noise)
