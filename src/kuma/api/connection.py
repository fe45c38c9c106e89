"""One HTTP connection: uvicorn's protocol, with deadlines and with the client's certificate.

uvicorn closes idle connections, and no others: a client that sends its request one byte a minute
would hold its connection for ever. The deadlines are those of `apiServer.*Timeout`.
"""

import asyncio
import time
from datetime import timedelta
from email.utils import formatdate
from ssl import SSLObject, SSLSocket
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from kuma.kit.value import value


@value
class Deadlines:
    """How long a client may take: for the headers, for the whole request, for taking the answer."""

    headers: timedelta = timedelta(seconds=1)
    request: timedelta = timedelta(seconds=10)
    response: timedelta = timedelta(seconds=30)
    idle: timedelta = timedelta(minutes=2)


class ApiConnection(HttpToolsProtocol):
    """`scope["extensions"]["tls"]["client_cert_chain"]` holds the verified certificate, if any, as
    the ASGI TLS extension has it. Source: https://asgi.readthedocs.io/en/latest/specs/tls.html
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        deadlines: Deadlines,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(config, server_state, {}, loop)
        self._deadlines = deadlines
        self._deadline: asyncio.TimerHandle | None = None
        self._extensions: dict[str, dict[object, object]] = {}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._extensions = _tls_extension(transport.get_extra_info("ssl_object"))
        self._allow(self._deadlines.headers)

    def connection_lost(self, exc: Exception | None) -> None:
        self._allow(None)
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._allow(self._deadlines.headers)
        self._set_date()
        super().on_message_begin()
        if self._extensions:
            self.scope["extensions"] = self._extensions

    def on_headers_complete(self) -> None:
        self._allow(self._deadlines.request)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._allow(self._deadlines.response)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._allow(self._deadlines.response if self.pipeline else None)
        super().on_response_complete()

    def _allow(self, time: timedelta | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = (
            None if time is None else self.loop.call_later(time.total_seconds(), self._expire)
        )

    def _expire(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.abort()

    def _set_date(self) -> None:
        """uvicorn's own server does this on a timer; here only a request causes work."""
        headers = self.server_state.default_headers
        date = formatdate(time.time(), usegmt=True).encode()
        headers[:] = [(b"date", date)]


def _tls_extension(tls: SSLObject | SSLSocket | None) -> dict[str, dict[object, object]]:
    certificate: Any = tls.getpeercert(binary_form=True) if tls is not None else None
    return {"tls": {"client_cert_chain": (certificate,)}} if certificate else {}
