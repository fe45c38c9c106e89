"""When may others send requests to a proxy that has just come? When its Envoy has taken its first
configuration: until then nobody listens on the ports that its Dataplane announces.

    hub: first snapshot, acknowledgements -> Joining -> hub: it is ready

Differs from Kuma, which announces it at once and is slow enough for that to go well mostly.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from kuma.envoy.snapshot import Snapshot, TypeUrl

PATIENCE = timedelta(seconds=10)
"""A proxy that takes longer, or that never asks for something it was to get, is taken for ready:
rather requests that are tried again than a service without an instance."""


class Joining:
    """Calls `joined` once, from the event loop, unless `cancel` came first."""

    def __init__(self, joined: Callable[[], None], *, patience: timedelta = PATIENCE) -> None:
        self._joined = joined
        self._awaited: set[TypeUrl] | None = None
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(patience.total_seconds(), self._end)

    def configured(self, snapshot: Snapshot) -> None:
        """The first one counts: every type of which there is something must be acknowledged."""
        if self._awaited is None:
            self._awaited = {kind for kind in TypeUrl if snapshot.of(kind)}

    def acknowledged(self, type_url: TypeUrl) -> None:
        if self._awaited is None:
            return
        self._awaited.discard(type_url)
        if not self._awaited:
            self._end()

    def cancel(self) -> None:
        self._timer.cancel()
        self._awaited = None

    def _end(self) -> None:
        self.cancel()
        self._joined()
