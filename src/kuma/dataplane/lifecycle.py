"""From a started Envoy to its end: what signals and its death do.

SIGTERM, SIGINT   not ready any more, tell the control plane, fail health checks, wait, send the last
                  metrics, stop Envoy: exit code 0
a second one      stop Envoy at once
SIGUSR2           drain inbound listeners and go on; SIGTERM then stops at once
Envoy dies        EnvoyFailed with its exit code and last error
"""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

from kuma.dataplane.admin import Admin
from kuma.dataplane.envoy import Envoy
from kuma.dataplane.farewell import Farewell
from kuma.dataplane.log import Log
from kuma.dataplane.readiness import ReadinessServer
from kuma.dataplane.signals import Signals
from kuma.dataplane.unless import unless
from kuma.kit.durations import format_duration

_ASK_EVERY = 0.25
_QUIET_FOR = 1.0
_SECONDS_TO_LEAVE = 3.0
"""At least, whatever the drain time is: who is not told goes on sending requests."""
_SPANS_SECONDS = 5.5
"""Envoy sends spans every five seconds, and not at its end."""


class Lifecycle:
    def __init__(
        self,
        envoy: Envoy,
        *,
        admin: Admin,
        readiness: ReadinessServer,
        signals: Signals,
        farewell: Farewell | None,
        finish: Callable[[], Coroutine[Any, Any, None]],
        drain_time: timedelta,
        log: Log,
    ) -> None:
        self._envoy = envoy
        self._admin = admin
        self._readiness = readiness
        self._signals = signals
        self._farewell = farewell
        self._finish = finish
        self._drain_time = drain_time
        self._log = log

    async def until_end(self) -> int:
        """The exit code. Raises EnvoyFailed."""
        draining = asyncio.create_task(self._drain_on_demand())
        try:
            await unless(self._envoy.ended, self._until_drained())
        finally:
            draining.cancel()
            died = self._envoy.ended.is_set()
            code = await self._envoy.stop()
        if died and code != 0:
            raise self._envoy.failure(code)
        self._log.info("Envoy ended by itself" if died else "Envoy has been stopped")
        return 0

    async def _until_drained(self) -> None:
        await self._signals.end.wait()
        self._readiness.terminating()
        if self._signals.drain.is_set():
            self._log.info("told to end, and drained already")
        else:
            self._log.info("told to end: draining", at_most=format_duration(self._drain_time))
            await unless(self._signals.end_now, self._drain())
        await unless(self._signals.end_now, self._finish())

    async def _drain(self) -> None:
        seconds = self._drain_time.total_seconds()
        try:
            if self._farewell is not None:
                await self._farewell.say(seconds=max(seconds / 2, _SECONDS_TO_LEAVE))
            await self._admin.fail_health_checks()
            async with asyncio.timeout(seconds):
                await self._until_quiet()
        except TimeoutError:
            self._log.info("the drain time is over")
        except OSError as error:
            self._log.warning("Envoy cannot be drained", error=str(error))

    async def _until_quiet(self) -> None:
        """No connection open, and none opened, for a second, and then what was traced reported. Envoy does
        not tell, so it is asked.

        # Differs from Kuma: it waits for the whole drain time.
        """
        loop = asyncio.get_running_loop()
        seen, since = -1, loop.time()
        while loop.time() - since < _QUIET_FOR:
            connections = await self._admin.connections()
            if connections.active or connections.total != seen:
                seen, since = connections.total, loop.time()
            await asyncio.sleep(_ASK_EVERY)
        self._log.info("no connection is left")
        if await self._admin.has_spans():
            await asyncio.sleep(_SPANS_SECONDS)

    async def _drain_on_demand(self) -> None:
        await self._signals.drain.wait()
        self._log.info("told to drain: inbound listeners close")
        try:
            await self._admin.drain_listeners()
        except OSError as error:
            self._log.warning("Envoy cannot be drained", error=str(error))
