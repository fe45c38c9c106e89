"""The data plane server: one TLS port (5678) for xDS and for bootstraps.

    Envoy   --h2--> AggregatedDiscoveryService   -> ads.Session -> ProxyHub
    Envoy   --h2--> HealthDiscoveryService       -> kept open, silent: no checks are asked for
    kuma-dp --http/1.1 or h2--> POST /bootstrap  -> the bootstrap callable
                                POST /drain      -> the leave callable

Accepts with a bound on handshakes under way, so that a thousand proxies that reconnect at once are
served in order and none of them times out behind the others' cryptography.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import timedelta
from typing import Any, Final

import structlog

from kuma.pipeline.delivery import ProxyHub
from kuma.xds.ads import DELTA, DELTA_PATH, STATE, STATE_PATH, Service
from kuma.xds.http1 import Answer, Routes
from kuma.xds.http2.limits import Http2Limits
from kuma.xds.link import Link, Timeouts
from kuma.xds.pump import Pump
from kuma.xds.rpc import Call, Methods, Status
from kuma.xds.traffic import Traffic

HDS_PATH: Final = "/envoy.service.health.v3.HealthDiscoveryService/StreamHealthCheck"
HANDSHAKES: Final = 64
"""TLS handshakes under way at once."""
BACKLOG: Final = 4096
HANDSHAKE_TIMEOUT: Final = 15.0
SHUTDOWN_TIMEOUT: Final = 1.0
_RETRY_ACCEPT: Final = 0.1

BootstrapHandler = Callable[[bytes, Mapping[str, str]], Awaitable[Answer]]
"""Body and headers (lower case) to status, content type, body."""

log = structlog.get_logger(__name__)


class DataplaneServer:
    def __init__(
        self,
        hub: ProxyHub,
        bootstrap: BootstrapHandler,
        ssl_context: ssl.SSLContext,
        *,
        host: str = "0.0.0.0",  # noqa: S104 - proxies are on other machines
        port: int = 5678,
        leave: BootstrapHandler | None = None,
        control_plane: str = "",
        timeouts: Timeouts | None = None,
        limits: Http2Limits | None = None,
    ) -> None:
        """Sets the ALPN protocols of `ssl_context`; certificates that are loaded into it later
        count for later handshakes. `control_plane` is the identifier that Envoys show."""
        ssl_context.set_alpn_protocols(["h2", "http/1.1"])
        self._ssl = ssl_context
        self._host = host
        self.port = port
        """What is listened on; where 0 was asked for, known after the start."""
        self._listener: socket.socket | None = None
        self._links: set[Link] = set()
        self._all_left = asyncio.Event()
        self._handshakes: set[asyncio.Task[None]] = set()
        self._work: set[asyncio.Task[None]] = set()
        self._is_accepting = False
        self._is_stopping = False
        self.timeouts = timeouts or Timeouts()
        self.limits = limits or Http2Limits()
        self._service = Service(hub, Pump(), control_plane, patience=self.timeouts.patience)
        posts = {"/bootstrap": bootstrap} | ({"/drain": leave} if leave is not None else {})
        self.routes = Routes(posts)
        self.methods = Methods(
            {
                DELTA_PATH: self._service.method(DELTA),
                STATE_PATH: self._service.method(STATE),
                HDS_PATH: _Quiet,
            }
        )

    async def start(self) -> None:
        """Listen. Raises OSError if the port is taken."""
        address = (self._host, self.port)
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        self._listener = socket.create_server(address, family=family, backlog=BACKLOG)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._resume_accepting()

    @property
    def traffic(self) -> Traffic:
        return self._service.traffic

    @property
    def connections(self) -> int:
        return len(self._links)

    async def drain_and_stop(self, timeout: timedelta) -> None:  # noqa: ASYNC109 - a promise, not a cancellation
        """Stop accepting, send proxies away (GOAWAY, and UNAVAILABLE on their streams), let
        bootstraps that are under way finish, close; abort what is left after `timeout`. Does
        nothing where nothing was started or all is stopped."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout.total_seconds()
        self._is_stopping = True
        self._pause_accepting()
        if self._listener is not None:
            self._listener.close()
        for handshake in self._handshakes:
            handshake.cancel()
        for link in self._links:
            link.drain()
        for session in list(self._service.sessions):
            session.finish(Status.UNAVAILABLE, "the control plane is shutting down")
        if self._work:
            await asyncio.wait(self._work, timeout=deadline - loop.time())
        for link in list(self._links):
            link.close()
        await self._until_all_left(deadline)

    # The Owner of links

    def joined(self, link: Link) -> None:
        self._links.add(link)
        self._all_left.clear()

    def left(self, link: Link) -> None:
        self._links.discard(link)
        if not self._links:
            self._all_left.set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _until_all_left(self, deadline: float) -> None:
        if not self._links:
            return
        try:
            async with asyncio.timeout_at(deadline):
                await self._all_left.wait()
        except TimeoutError:
            for link in list(self._links):
                link.abort()

    # Accepting

    def _resume_accepting(self) -> None:
        if not self._is_accepting and not self._is_stopping and self._listener is not None:
            self._is_accepting = True
            asyncio.get_running_loop().add_reader(self._listener.fileno(), self._accept)

    def _pause_accepting(self) -> None:
        if self._is_accepting and self._listener is not None:
            self._is_accepting = False
            asyncio.get_running_loop().remove_reader(self._listener.fileno())

    def _accept(self) -> None:
        while self._listener is not None and len(self._handshakes) < HANDSHAKES:
            try:
                connected, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                # Out of descriptors or memory: those who wait are accepted when there are some.
                log.warning("accepting a connection failed", error=str(error))
                self._pause_accepting()
                asyncio.get_running_loop().call_later(_RETRY_ACCEPT, self._resume_accepting)
                return
            task = asyncio.get_running_loop().create_task(self._shake_hands(connected))
            self._handshakes.add(task)
            task.add_done_callback(self._shaken)
        self._pause_accepting()

    def _shaken(self, handshake: asyncio.Task[None]) -> None:
        self._handshakes.discard(handshake)
        self._resume_accepting()

    async def _shake_hands(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: Link(self),
                connected,
                ssl=self._ssl,
                ssl_handshake_timeout=HANDSHAKE_TIMEOUT,
                ssl_shutdown_timeout=SHUTDOWN_TIMEOUT,
            )
        except (OSError, TimeoutError) as error:
            connected.close()
            log.debug("a TLS handshake failed", error=str(error))


class _Quiet:
    """Health discovery: the stream stays open and nothing is asked for."""

    def __init__(self, call: Call) -> None:
        self._call = call
        call.open()

    def message(self, content: bytes) -> None: ...

    def half_closed(self) -> None:
        self._call.finish(Status.OK)

    def cancelled(self) -> None: ...
