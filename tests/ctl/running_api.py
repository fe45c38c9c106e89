"""The REST API of `tests.api.control_plane` on a port, beside a test that blocks."""

import asyncio
import logging
import ssl
from collections.abc import Coroutine, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import Any, TypeVar

import structlog

from kuma.api.serve import ApiServer, Listener
from kuma.resources.resource import AnyResource
from tests.api.control_plane import ControlPlane, a_control_plane
from tests.support.builders import a_mesh

T = TypeVar("T")


@dataclass(frozen=True)
class RunningApi:
    """With the mesh `default`."""

    url: str
    control_plane: ControlPlane
    loop: asyncio.AbstractEventLoop

    def add(self, *resources: AnyResource) -> None:
        self.wait(self.control_plane.add(*resources))

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def names(self, kind: str, mesh: str | None = None) -> set[str]:
        return {each.name for each in self.control_plane.replica.list(kind, mesh)}


@contextmanager
def a_running_api(
    settings: Mapping[str, Any] | None = None, *, tls: ssl.SSLContext | None = None
) -> Iterator[RunningApi]:
    started: Future[tuple[RunningApi, asyncio.Event]] = Future()

    async def serve() -> None:
        async with a_control_plane(settings) as control_plane:
            await control_plane.add(a_mesh())
            server = ApiServer(control_plane.app, [Listener("127.0.0.1", 0, "port", tls)])
            await server.start()
            url = f"{'https' if tls else 'http'}://localhost:{server.ports[0]}"
            stopping = asyncio.Event()
            api = RunningApi(url, control_plane, asyncio.get_running_loop())
            started.set_result((api, stopping))
            await stopping.wait()
            await server.stop()

    # It logs into the standard output of the process, which is that of the command.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    thread = Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    api, stopping = started.result(30)
    try:
        yield api
    finally:
        api.loop.call_soon_threadsafe(stopping.set)
        thread.join(30)
        structlog.reset_defaults()
