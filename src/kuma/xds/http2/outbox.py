"""What goes to the peer: framed, within its windows, in as few writes as possible."""

from collections import deque
from collections.abc import Callable

from kuma.xds.http2 import frames
from kuma.xds.http2.frames import DEFAULT_FRAME_SIZE, DEFAULT_WINDOW, HEADER, Flag, Kind
from kuma.xds.http2.stream import Stream


class Outbox:
    def __init__(self, write: Callable[[bytes], None], ended: Callable[[Stream], None]) -> None:
        """`ended` hears of each stream whose last frame was sent."""
        self._write = write
        self._ended = ended
        self._gathered: list[bytes] = []
        self.is_corked = False
        self.window = DEFAULT_WINDOW
        """What the peer takes on the whole connection."""
        self.frame_size = DEFAULT_FRAME_SIZE

    def cork(self) -> None:
        """Gather what is put until `uncork`, into one write."""
        self.is_corked = True

    def uncork(self) -> None:
        self.is_corked = False
        if self._gathered:
            gathered, self._gathered = self._gathered, []
            self._write(gathered[0] if len(gathered) == 1 else b"".join(gathered))

    def put(self, frame: bytes) -> None:
        if self.is_corked:
            self._gathered.append(frame)
        else:
            self._write(frame)

    def headers(self, stream: Stream, block: bytes, *, end: bool) -> None:
        """After the data that waits, if any does."""
        written = self._in_frames(stream.id, block, end=end)
        if stream.unsent:
            stream.unsent_end = written
            return
        self.put(written)
        if end:
            self._end(stream)

    def data(self, stream: Stream, content: bytes, *, end: bool) -> None:
        """Send, or keep until the windows allow it."""
        size = len(content)
        if (
            not stream.unsent
            and size <= self.frame_size
            and size <= stream.send_window
            and size <= self.window
        ):
            stream.send_window -= size
            self.window -= size
            flags = Flag.END_STREAM if end else 0
            self.put(HEADER.pack(size >> 8, size & 0xFF, Kind.DATA, flags, stream.id) + content)
            if end:
                self._end(stream)
            return
        stream.unsent = stream.unsent or deque()
        stream.unsent.append(memoryview(content))
        if end:
            stream.unsent_end = frames.frame(Kind.DATA, Flag.END_STREAM, stream.id)
        self.resume(stream)

    def resume(self, stream: Stream) -> None:
        """Send as much of what waits as both windows allow."""
        while stream.unsent:
            room = min(stream.send_window, self.window, self.frame_size)
            if room <= 0:
                return
            head = stream.unsent[0]
            piece = head[:room]
            if len(piece) == len(head):
                stream.unsent.popleft()
            else:
                stream.unsent[0] = head[room:]
            stream.send_window -= len(piece)
            self.window -= len(piece)
            self.put(frames.frame(Kind.DATA, 0, stream.id, piece))
        stream.unsent = None
        if stream.unsent_end:
            self.put(stream.unsent_end)
            self._end(stream)

    def _end(self, stream: Stream) -> None:
        stream.end_sent = True
        self._ended(stream)

    def _in_frames(self, stream_id: int, block: bytes, *, end: bool) -> bytes:
        size, flags = self.frame_size, Flag.END_STREAM if end else 0
        if len(block) <= size:
            return frames.frame(Kind.HEADERS, flags | Flag.END_HEADERS, stream_id, block)
        parts = [frames.frame(Kind.HEADERS, flags, stream_id, block[:size])]
        for at in range(size, len(block), size):
            last = Flag.END_HEADERS if at + size >= len(block) else 0
            parts.append(frames.frame(Kind.CONTINUATION, last, stream_id, block[at : at + size]))
        return b"".join(parts)
