"""Sends on OTLP for as long as Envoy runs, to the collectors that there are meanwhile."""

import asyncio
import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self

from kuma.dataplane.dynamic_config import Asked, DynamicConfig
from kuma.dataplane.held import Told
from kuma.dataplane.log import Log
from kuma.dataplane.otel.environment import Environment
from kuma.dataplane.otel.merge import Target, Unavailable, resolve_target
from kuma.dataplane.otel.told import PATH, ToldBackend, parse_told
from kuma.plan.machine import dynamic_config_socket
from kuma.plan.signal import Signal

if TYPE_CHECKING:
    from kuma.dataplane.otel.backend import Backend


class OtelPipe:
    """A context, entered before Envoy starts. `every`: how often Envoy is asked for the collectors;
    `local`: the address of the machine; `ca_file` has its CAs."""

    def __init__(
        self,
        work_dir: Path,
        environment: Environment,
        *,
        local: str,
        ca_file: str,
        every: timedelta,
        log: Log,
    ) -> None:
        self._log = log.named("otel", level=log.level)
        socket = Path(dynamic_config_socket(str(work_dir)))
        self._config = DynamicConfig(socket, PATH, parse_told, self._log)
        self._environment = environment
        self._local = local
        self._ca_file = ca_file
        self._every = every.total_seconds()
        self._failed = Told(self._log, "a collector is not sent to")
        self._told: tuple[ToldBackend, ...] = ()
        self._backends: dict[str, Backend] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def asked(self) -> Asked:
        return self._config.asked

    @property
    def measured(self) -> Sequence[tuple[str, str, timedelta]]:
        """Name, socket and interval of those that get metrics."""
        found = ((each, each.of(Signal.METRICS)) for each in self._told)
        return [
            (each.name, each.socket, signal.every)
            for each, signal in found
            if signal is not None
            and each.socket in self._backends
            and isinstance(self._target(each, Signal.METRICS), Target)
        ]

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_exception: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.gather(*(each.close() for each in self._backends.values()))

    async def _watch(self) -> None:
        while True:
            told = await self._config.current() or ()
            if told != self._told or len(self._backends) < len(told):
                await self._follow(told)
                self._told = told
            await asyncio.sleep(self._every)

    async def _follow(self, told: tuple[ToldBackend, ...]) -> None:
        """A socket that stays keeps its connections."""
        wanted = {each.socket: each for each in told}
        gone = [self._backends.pop(at) for at in set(self._backends) - set(wanted)]
        await asyncio.gather(*(each.close() for each in gone))
        for socket, each in wanted.items():
            targets = {signal: self._target(each, signal) for signal in Signal}
            try:
                backend = self._backends.get(socket) or await self._started(each)
            except OSError as error:
                self._failed.once_more(backend=each.name, error=str(error))
                continue
            await backend.follow(targets)

    async def _started(self, told: ToldBackend) -> "Backend":
        # Only whom it concerns pays for what this loads, which would write lines of its own into the log.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        from kuma.dataplane.otel.backend import Backend

        backend = Backend(told.name, Path(told.socket), self._log, ca_file=self._ca_file)
        await backend.start()
        self._backends[told.socket] = backend
        self._log.info("OTLP is taken for a collector", backend=told.name, socket=told.socket)
        return backend

    def _target(self, told: ToldBackend, signal: Signal) -> Target | Unavailable:
        return resolve_target(told, signal, self._environment, local=self._local)
