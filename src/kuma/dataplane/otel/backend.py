"""One collector of the control plane's: its socket, and where each signal goes from there."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from kuma.dataplane.log import Log
from kuma.dataplane.otel.forward import Forwarder
from kuma.dataplane.otel.merge import Target, Unavailable
from kuma.dataplane.otel.receive import Receiver
from kuma.plan.signal import Signal

FLUSH_SECONDS = 5.0
Targets = Mapping[Signal, Target | Unavailable]
_GONE = Unavailable("the signal is not enabled")


class Backend:
    def __init__(self, name: str, socket: Path, log: Log, *, ca_file: str) -> None:
        self._name = name
        self._log = log
        self._ca_file = ca_file
        self._forwarders: dict[Signal, Forwarder] = {}
        self._targets: Targets = {}
        self._receiver = Receiver(socket, self._route)

    async def start(self) -> None:
        """Raises OSError."""
        await self._receiver.start()

    async def follow(self, targets: Targets) -> None:
        """What waits goes where it would go now; what goes nowhere any more is sent where it was to go."""
        self._targets = targets
        for signal in Signal:
            target, known = targets.get(signal), self._forwarders.get(signal)
            if isinstance(target, Target) and known is None:
                self._forwarders[signal] = self._forwarder(target, signal)
            elif isinstance(target, Target) and known is not None and known.target != target:
                await known.move(target)
            elif known is not None and not isinstance(target, Target):
                await self._forwarders.pop(signal).close(FLUSH_SECONDS)

    async def close(self) -> None:
        await self._receiver.close(FLUSH_SECONDS)
        await asyncio.gather(*(each.close(FLUSH_SECONDS) for each in self._forwarders.values()))
        self._forwarders.clear()

    def _forwarder(self, target: Target, signal: Signal) -> Forwarder:
        return Forwarder(target, signal, self._name, self._log, ca_file=self._ca_file)

    def _route(self, signal: Signal) -> Forwarder | Unavailable:
        target = self._targets.get(signal, _GONE)
        return target if isinstance(target, Unavailable) else self._forwarders[signal]
