"""A server's side of one HTTP/2 connection.

    transport --receive(bytes)--> FrameReader -> Incoming -> Streams --request/data/...--> Application
    transport <--write(bytes)---- Outbox <--send_headers/send_data------------------------ Application

Faults of the peer that concern one stream reset it; others end the connection with a GOAWAY, after
which `is_over` holds and the owner closes the transport. Section numbers are of RFC 9113.
"""

from collections.abc import Callable

from kuma.xds.http2 import frames
from kuma.xds.http2.frames import DEFAULT_WINDOW, Code, ConnectionFault, Kind, Setting
from kuma.xds.http2.incoming import Incoming
from kuma.xds.http2.limits import Http2Limits
from kuma.xds.http2.outbox import Outbox
from kuma.xds.http2.reader import FrameReader
from kuma.xds.http2.stream import Application, Stream
from kuma.xds.http2.streams import Streams


class Http2Connection:
    def __init__(
        self,
        application: Application,
        write: Callable[[bytes], None],
        *,
        now: Callable[[], float],
        limits: Http2Limits | None = None,
    ) -> None:
        self._limits = limits or Http2Limits()
        self.outbox = Outbox(write, self._ended)
        self.streams = Streams(self.outbox)
        self._reader = FrameReader()
        self._incoming = Incoming(self, application, limits=self._limits, now=now)
        self.is_paused = False
        """Set by the owner: the transport's buffer is full."""
        self.is_over = False
        self.pongs = 0
        """How many of our PINGs were answered."""

    def start(self) -> None:
        """Send our SETTINGS, the first thing that a server says (3.4)."""
        limits = self._limits
        self.outbox.put(
            frames.settings(
                {
                    Setting.MAX_CONCURRENT_STREAMS: limits.streams,
                    Setting.INITIAL_WINDOW_SIZE: limits.window,
                    Setting.MAX_HEADER_LIST_SIZE: limits.header_list,
                }
            )
        )
        self.outbox.put(frames.window_update(0, limits.window - DEFAULT_WINDOW))

    def receive(self, data: bytes) -> None:
        if self.is_over:
            return
        self.outbox.cork()
        try:
            for kind, flags, stream_id, payload in self._reader.read(data):
                self._incoming.frame(kind, flags, stream_id, payload)
                if self.is_over:
                    break
        except ConnectionFault as fault:
            self.close(fault.code, str(fault))
        finally:
            self.outbox.uncork()

    def ping(self) -> None:
        self.outbox.put(frames.frame(Kind.PING, 0, 0, b"kumamesh"))

    def drain(self) -> None:
        """Accept no new streams; those that are open may end (6.8)."""
        if not self.streams.is_draining and not self.is_over:
            self.streams.is_draining = True
            self.outbox.put(frames.goaway(self.streams.last, Code.NO_ERROR, "draining"))

    def close(self, code: Code = Code.NO_ERROR, reason: str = "") -> None:
        """Say GOAWAY; every open stream is closed."""
        if self.is_over:
            return
        self.is_over = True
        self.outbox.put(frames.goaway(self.streams.last, code, reason))
        self.lost()

    def lost(self) -> None:
        """The transport is gone: tell the streams."""
        self.is_over = True
        self.streams.lost()

    def _ended(self, stream: Stream) -> None:
        self.streams.ended(stream)
