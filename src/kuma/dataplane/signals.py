"""Signals as things to wait for: end (twice: at once), and drain."""

import asyncio
import signal
from typing import Self

_END = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """A context on the running loop."""

    def __init__(self) -> None:
        self.end = asyncio.Event()
        self.end_now = asyncio.Event()
        self.drain = asyncio.Event()

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

    def _ended(self) -> None:
        (self.end_now if self.end.is_set() else self.end).set()
