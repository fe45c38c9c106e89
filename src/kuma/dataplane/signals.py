"""Signals as things to wait for: end (twice: at once), and drain.

A terminal or a supervisor may signal both the process and its group: a burst is one signal.
"""

import asyncio
import signal
from typing import Self

_END = (signal.SIGTERM, signal.SIGINT)
_BURST = 0.3


class Signals:
    """A context on the running loop, the last that the process has: later signals are ignored, so
    that its exit code stays its own."""

    def __init__(self) -> None:
        self.end = asyncio.Event()
        self.end_now = asyncio.Event()
        self.drain = asyncio.Event()
        self._burst_ends = 0.0

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number in _END:
            loop.add_signal_handler(number, self._ended)
        loop.add_signal_handler(signal.SIGUSR2, self.drain.set)
        return self

    def __exit__(self, *_exception: object) -> None:
        loop = asyncio.get_running_loop()
        for number in (*_END, signal.SIGUSR2):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)

    def _ended(self) -> None:
        now = asyncio.get_running_loop().time()
        if not self.end.is_set():
            self._burst_ends = now + _BURST
            self.end.set()
        elif now > self._burst_ends:
            self.end_now.set()
