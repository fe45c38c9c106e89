"""What the control plane tells kuma-dp, asked of Envoy, which has it from there.

Envoy tells nobody that it has something new, so it has to be asked: when somebody wants what depends on it,
which then always is the newest, and, for what is pushed, once in a while. That costs a look at the
file system while there is nothing to tell, since Envoy has no socket then, and an answer without a body
while nothing has changed.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Generic, TypeVar

from kuma.dataplane.http import BadAnswer, Response, Unix, exchange
from kuma.dataplane.log import Log

T = TypeVar("T")
_SECONDS = 5.0
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds. Source: the defaults of Prometheus' clients."""


class Asked:
    """What became of asking. `within`: how many of the `changes` took at most as long as each bound."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.calls = 0
        self.errors = 0
        self.changes = 0
        self.seconds = 0.0
        self.within = [0] * len(BOUNDS)

    def changed(self, seconds: float) -> None:
        self.changes += 1
        self.seconds += seconds
        for position, bound in enumerate(BOUNDS):
            self.within[position] += seconds <= bound


class DynamicConfig(Generic[T]):
    """What is told at `path`; `parse` raises ValueError."""

    def __init__(self, socket: Path, path: str, parse: Callable[[bytes], T], log: Log) -> None:
        self.asked = Asked(path)
        self._socket = socket
        self._path = path
        self._parse = parse
        self._log = log
        self._tag = ""
        self._told: T | None = None
        self._one_at_a_time = asyncio.Lock()

    async def current(self) -> T | None:
        """None: nothing is told. What cannot be read leaves what was known before."""
        async with self._one_at_a_time:
            if self._socket.exists():
                await self._refresh()
            else:
                self._forget()
            return self._told

    async def _refresh(self) -> None:
        self.asked.calls += 1
        started = perf_counter()
        try:
            if self._take(await self._ask()):
                self.asked.changed(perf_counter() - started)
        except (FileNotFoundError, ConnectionRefusedError):
            self._forget()  # Envoy has closed it, and leaves the file there
        except (OSError, TimeoutError, BadAnswer) as error:
            self.asked.errors += 1
            about = {"path": self._path, "error": str(error)}
            self._log.warning("Envoy does not say what the control plane tells", **about)

    async def _ask(self) -> Response:
        headers = {"If-None-Match": self._tag} if self._tag else {}
        return await exchange(
            Unix(self._socket), "GET", self._path, headers=headers, seconds=_SECONDS
        )

    def _take(self, answer: Response) -> bool:
        """Whether there was something new."""
        if answer.status == 404:
            self._forget()
        if answer.status != 200:
            return False
        self._tag = answer.headers.get("etag", "")
        try:
            self._told = self._parse(answer.body)
        except ValueError as error:
            self.asked.errors += 1
            about = {"path": self._path, "error": str(error)}
            self._log.warning("what the control plane tells cannot be read", **about)
        return True

    def _forget(self) -> None:
        self._tag, self._told = "", None
