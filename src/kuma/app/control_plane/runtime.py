"""The control plane, which starts and stops its parts in order.

    State -> Pipeline -> data plane server (5678)
      |         +------> REST API (5681, 5682)
      +-> the leader's jobs

Start: store, leader's jobs, fan-out, data plane server, API; then /ready says so. Stop: readiness,
API, proxies (which reconnect elsewhere), insights, store. Nothing here decides anything.
"""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import structlog
from prometheus_client import REGISTRY as METRICS
from prometheus_client import CollectorRegistry

from kuma.api.serve import ApiServer
from kuma.app.control_plane.leader import lead
from kuma.app.control_plane.pipeline import Pipeline
from kuma.app.control_plane.servers import api_server, data_plane_server, diagnostics_server
from kuma.app.control_plane.state import State
from kuma.app.control_plane.tls import ServerCertificates
from kuma.config.control_plane import ControlPlaneSettings
from kuma.config.errors import BadConfig
from kuma.kit.clock import Clock, SystemClock
from kuma.upkeep.defaults import CLUSTER_ID

log = structlog.get_logger("kuma-cp")

STOP_WITHIN = timedelta(seconds=8)


class ControlPlane:
    """Raises BadConfig, or what the store raises, from `start`; `stop` is idempotent."""

    def __init__(
        self,
        settings: ControlPlaneSettings,
        *,
        clock: Clock | None = None,
        metrics: CollectorRegistry = METRICS,
    ) -> None:
        self.settings = settings
        self._metrics = metrics
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed = asyncio.Event()
        self._starting: str | None = "it is starting"
        clock = clock or SystemClock()
        self.state = State(settings, clock)
        self.pipeline = Pipeline(self.state)
        self._certificates = ServerCertificates(settings, self.state.work_dir, clock)
        self._data_plane_server = data_plane_server(self.state, self.pipeline, self._certificates)
        self._diagnostics = diagnostics_server(self.state, self._certificates, self.not_ready)
        self._api: ApiServer | None = None

    def not_ready(self) -> str | None:
        """Why the control plane should get no requests; None if it should."""
        if self._starting is not None:
            return self._starting
        return self.state.replica.unavailable_reason

    async def start(self) -> None:
        state, pipeline = self.state, self.pipeline
        await self._diagnostics.start()
        await state.store.start(state.replica)
        led = asyncio.Event()
        self._spawn("leadership", state.database.leadership.run(lambda: lead(state, led)))
        await self._until_defaults_exist(led)
        await pipeline.admin.ensure_authority()
        self._spawn("fan-out", pipeline.fanout.run())
        self._spawn("insights", pipeline.tracker.run())
        await self._start_data_plane_server()
        self._api = api_server(state, pipeline, self._certificates, self._metrics)
        await self._api.start()
        self._starting = None
        self._tell_ready()

    async def failed(self) -> None:
        """Until a part that should run forever ended."""
        await self._failed.wait()

    async def stop(self) -> None:
        self._starting = "it is shutting down"
        self.pipeline.close()
        if self._api is not None:
            await self._api.stop()
        await self._data_plane_server.drain_and_stop(self._grace())
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.pipeline.tracker.flush()
        await self.pipeline.admin.close()
        await self.state.store.close()
        await self._diagnostics.stop()
        log.info("the control plane has stopped")

    async def _until_defaults_exist(self, led: asyncio.Event) -> None:
        """They exist once this instance has led, or if another one made them."""
        if self.state.replica.find(CLUSTER_ID) is None:
            self._starting = "it waits for the leader to make the defaults"
            await led.wait()

    async def _start_data_plane_server(self) -> None:
        try:
            await self._data_plane_server.start()
        except OSError as error:
            setting, port = "dpServer.port (KUMA_DP_SERVER_PORT)", self.settings.dp_server.port
            raise BadConfig((f"{setting}: cannot listen on {port}: {error.strerror}",)) from error
        self._metrics.register(self._data_plane_server.traffic)

    def _tell_ready(self) -> None:
        api = self.settings.api_server
        log.info(
            "the control plane is ready",
            zone=self.state.zone,
            store=self.settings.store.type,
            api=api.http.port if api.http.enabled else None,
            api_https=api.https.port if api.https.enabled else None,
            data_plane_server=self.settings.dp_server.port,
            diagnostics=self.settings.diagnostics.server_port,
        )

    def _grace(self) -> timedelta:
        return min(self.settings.dp_server.graceful_shutdown_timeout, STOP_WITHIN)

    def _spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A part that should run forever ended: say so, and let the process end."""
        self._tasks.discard(task)
        if task.cancelled():
            return
        log.critical(
            "a part of the control plane failed", part=task.get_name(), exc_info=task.exception()
        )
        self._failed.set()
