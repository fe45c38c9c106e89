"""Runs the application on its HTTP and HTTPS ports, inside the event loop of the process.

    server = ApiServer(app, listeners);  await server.start();  ...;  await server.stop()

uvicorn's own server would take the signals of the process and wake ten times a second; only its
protocol implementation is used.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.server import ServerState

from kuma.api.connection import ApiConnection, Deadlines
from kuma.config.errors import BadConfig

GRACE = timedelta(seconds=5)
"""For requests under way when the server stops; the process has 10 s for everything."""

_BACKLOG = 2048
_log = structlog.get_logger("api")


@dataclass(frozen=True)
class Listener:
    """`setting` names the port's setting in messages. With `tls` it speaks HTTPS."""

    interface: str
    port: int
    setting: str
    tls: ssl.SSLContext | None = None


@dataclass
class _Open:
    """A listener at work."""

    listener: Listener
    server: asyncio.Server
    state: ServerState = field(default_factory=ServerState)

    @property
    def port(self) -> int:
        port: int = self.server.sockets[0].getsockname()[1]
        return port


class ApiServer:
    def __init__(
        self, app: ASGIApp, listeners: Sequence[Listener], *, deadlines: Deadlines | None = None
    ) -> None:
        self._app = app
        self._listeners = tuple(listeners)
        self._deadlines = deadlines or Deadlines()
        self._open: list[_Open] = []

    async def start(self) -> None:
        """Raises BadConfig, naming the setting, if an address cannot be bound."""
        try:
            for listener in self._listeners:
                self._open.append(await self._listen(listener))
        except BaseException:
            await self.stop(grace=timedelta(0))
            raise

    @property
    def ports(self) -> tuple[int, ...]:
        """Those that are listened on, in the order of the listeners."""
        return tuple(each.port for each in self._open)

    async def stop(self, *, grace: timedelta = GRACE) -> None:
        """No new connections; requests under way may finish within `grace`. Idempotent."""
        stopping, self._open = self._open, []
        for each in stopping:
            each.server.close()
            for connection in tuple(each.state.connections):
                connection.shutdown()
        tasks = [task for each in stopping for task in each.state.tasks]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace.total_seconds())
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        for each in stopping:
            for connection in tuple(each.state.connections):
                connection.transport.abort()

    async def _listen(self, listener: Listener) -> _Open:
        loop = asyncio.get_running_loop()
        config = _uvicorn_config(self._app, self._deadlines)
        state = ServerState()
        server = await loop.create_server(
            lambda: ApiConnection(config, state, self._deadlines, loop),
            sock=_bind(listener),
            ssl=listener.tls,
            ssl_handshake_timeout=(
                self._deadlines.request.total_seconds() if listener.tls else None
            ),
            backlog=_BACKLOG,
        )
        opened = _Open(listener, server, state)
        _log.info(
            "listening",
            protocol="https" if listener.tls else "http",
            interface=listener.interface,
            port=opened.port,
        )
        return opened


def _uvicorn_config(app: ASGIApp, deadlines: Deadlines) -> Config:
    """Headers that name a proxy are not believed: whoever is on this machine is an administrator."""
    config = Config(
        app,
        ws="none",
        lifespan="off",
        proxy_headers=False,
        log_config=None,
        access_log=False,
        timeout_keep_alive=int(deadlines.idle.total_seconds()),
    )
    config.load()
    return config


def _bind(listener: Listener) -> socket.socket:
    family = socket.AF_INET6 if ":" in listener.interface else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setblocking(False)
        bound.bind((listener.interface, listener.port))
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        raise BadConfig((_cannot_bind(listener, error),)) from error
    return bound


def _cannot_bind(listener: Listener, error: OSError) -> str:
    address = f"{listener.interface}:{listener.port}"
    if error.errno == errno.EADDRINUSE:
        return (
            f"{listener.setting}: port {listener.port} is in use on {listener.interface}, "
            "stop the other program or choose another port"
        )
    return f"{listener.setting}: cannot listen on {address}: {error.strerror or error}"
