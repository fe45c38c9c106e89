"""What the control plane wants measured, asked of Envoy, which has it from there.

Envoy tells nobody that it has something new, so it has to be asked: when somebody wants metrics, which
then are always the newest wish's, and, for what is pushed, once in a while. That costs a look at the
file system while no MeshMetric applies, since Envoy has no socket then, and an answer without a body
while nothing has changed.
"""

import asyncio
from pathlib import Path

from kuma.dataplane.http import BadAnswer, Response, Unix, exchange
from kuma.dataplane.log import Log
from kuma.dataplane.metrics.wanted import Wanted, parse_wanted

PATH = "/meshmetric"
_SECONDS = 5.0


class DynamicConfig:
    def __init__(self, socket: Path, log: Log) -> None:
        self._socket = socket
        self._log = log
        self._tag = ""
        self._wanted: Wanted | None = None
        self._one_at_a_time = asyncio.Lock()

    async def current(self) -> Wanted | None:
        """None: nothing is to be measured. What cannot be read leaves what was known before."""
        async with self._one_at_a_time:
            if self._socket.exists():
                await self._refresh()
            else:
                self._forget()
            return self._wanted

    async def _refresh(self) -> None:
        try:
            self._take(await self._ask())
        except (FileNotFoundError, ConnectionRefusedError):
            self._forget()  # Envoy has closed it, and leaves the file there
        except (OSError, TimeoutError, BadAnswer) as error:
            self._log.warning("Envoy does not say what to measure", error=str(error))

    async def _ask(self) -> Response:
        headers = {"If-None-Match": self._tag} if self._tag else {}
        return await exchange(Unix(self._socket), "GET", PATH, headers=headers, seconds=_SECONDS)

    def _take(self, answer: Response) -> None:
        if answer.status == 404:
            self._forget()
        if answer.status != 200:
            return
        self._tag = answer.headers.get("etag", "")
        try:
            self._wanted = parse_wanted(answer.body)
        except ValueError as error:
            self._log.warning("what to measure cannot be read", error=str(error))

    def _forget(self) -> None:
        self._tag, self._wanted = "", None
