"""The streams of one connection: which are open, and how each of them ends."""

from collections import deque
from collections.abc import Iterable
from typing import Final

from kuma.xds.http2 import frames
from kuma.xds.http2.frames import DEFAULT_WINDOW, LARGEST_WINDOW, Code, ConnectionFault, expect
from kuma.xds.http2.outbox import Outbox
from kuma.xds.http2.stream import Stream

_RECENTLY_RESET: Final = 128


class Streams:
    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._open: dict[int, Stream] = {}
        self._reset: deque[int] = deque(maxlen=_RECENTLY_RESET)
        self.last = 0
        """The highest number that the client used."""
        self.window = DEFAULT_WINDOW
        """What the peer takes on a new stream."""
        self.is_draining = False

    def __len__(self) -> int:
        return len(self._open)

    def find(self, stream_id: int) -> Stream | None:
        return self._open.get(stream_id)

    def add(self, stream: Stream) -> None:
        self.last = stream.id
        self._open[stream.id] = stream

    def resume(self, streams: Iterable[Stream] | None = None) -> None:
        """The windows have opened: of these, or of all."""
        for stream in list(self._open.values()) if streams is None else streams:
            if stream.unsent:
                self._outbox.resume(stream)

    def set_window(self, window: int) -> None:
        """Of all streams, those that are open included (6.9.2)."""
        change, self.window = window - self.window, window
        for stream in list(self._open.values()):
            stream.send_window += change
            fits = stream.send_window <= LARGEST_WINDOW
            expect(fits, "window", Code.FLOW_CONTROL_ERROR)
            self.resume([stream])

    def reset(self, stream: Stream, code: Code) -> None:
        if self._open.pop(stream.id, None) is not None:
            stream.end_sent = True
            stream.unsent = None
            self._reset.append(stream.id)
            self._outbox.put(frames.reset(stream.id, code))

    def fault(self, stream: Stream, code: Code) -> None:
        """The peer broke the rules of this one."""
        self.reset(stream, code)
        _close(stream, code)

    def ended(self, stream: Stream) -> None:
        """Our side is complete; what the client may still be sending is of no use (8.1)."""
        self._open.pop(stream.id, None)
        if not stream.remote_ended:
            self._reset.append(stream.id)
            self._outbox.put(frames.reset(stream.id, Code.NO_ERROR))

    def reset_by_peer(self, stream_id: int, code: Code) -> None:
        if (stream := self._open.pop(stream_id, None)) is not None:
            _close(stream, code)

    def lost(self) -> None:
        """The transport is gone."""
        streams, self._open = self._open, {}
        for stream in streams.values():
            _close(stream, None)

    def is_known(self, stream_id: int) -> bool:
        """Whether it was opened, or may have been, for all we know."""
        return stream_id <= self.last or self.is_draining

    def check_closed(self, stream_id: int) -> None:
        """A frame came on a stream that is not open. Those that were on their way when we reset it
        are ignored (5.1)."""
        if stream_id in self._reset or (self.is_draining and stream_id > self.last):
            return
        expect(stream_id <= self.last, "a frame on an idle stream")
        raise ConnectionFault(Code.STREAM_CLOSED, f"a frame on stream {stream_id}, which is closed")


def _close(stream: Stream, code: Code | None) -> None:
    stream.end_sent = True
    stream.unsent = None
    if stream.handler is not None:
        stream.handler.closed(code)
