"""What a peer may ask of one connection."""

from collections.abc import Callable
from dataclasses import dataclass

from kuma.xds.http2.frames import Code, ConnectionFault


@dataclass(frozen=True, slots=True)
class Http2Limits:
    """`window` is how much a peer may send ahead; it is opened again as soon as bytes arrive, since
    whoever reads them bounds them. `strain` is how many frames that make work without bringing data
    (PING, SETTINGS, RST_STREAM and the like) it may send in `strain_seconds`."""

    streams: int = 100
    window: int = 1 << 20
    header_list: int = 64 * 1024
    strain: int = 2_000
    strain_seconds: float = 10.0


class Strain:
    """Counts work that brings nothing, so that a flood of it ends the connection."""

    def __init__(self, limits: Http2Limits, now: Callable[[], float]) -> None:
        self._limits = limits
        self._now = now
        self._count = 0
        self._since = now()

    def add(self, count: int = 1) -> None:
        self._count += count
        if self._count > self._limits.strain:
            now = self._now()
            if now - self._since < self._limits.strain_seconds:
                raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "too many control frames")
            self._count, self._since = 0, now
