"""A socket at which OTLP over gRPC is taken, of all signals, by Envoy and kuma-dp itself.

Messages are not looked into. Whoever sends is answered at once: that it arrives is the forwarder's work.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc

from kuma.dataplane.otel.forward import MOST_HELD, Forwarder
from kuma.dataplane.otel.merge import Unavailable
from kuma.dataplane.otel.send import METHODS
from kuma.plan.signal import Signal

Route = Callable[[Signal], Forwarder | Unavailable]
_SIGNALS = {method: signal for signal, method in METHODS.items()}
_OPTIONS = (("grpc.max_receive_message_length", MOST_HELD), ("grpc.so_reuseport", 0))
_NOTHING = b""
"""An empty answer says that all was taken."""


class Receiver(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """`route` says where a signal goes."""

    def __init__(self, socket: Path, route: Route) -> None:
        self._socket = socket
        self._route = route
        self._server: Any = None

    async def start(self) -> None:
        """Raises OSError."""
        self._socket.unlink(missing_ok=True)
        self._server = grpc.aio.server(handlers=(self,), options=_OPTIONS)
        try:
            self._server.add_insecure_port(f"unix:{self._socket}")
        except RuntimeError as error:
            raise OSError(f"the socket {self._socket} cannot be opened") from error
        self._socket.chmod(0o600)
        await self._server.start()

    async def close(self, seconds: float) -> None:
        if self._server is not None:
            await self._server.stop(seconds)
        self._socket.unlink(missing_ok=True)

    def service(self, details: Any) -> Any:
        signal = _SIGNALS.get(details.method)
        if signal is None:
            return None

        async def export(message: bytes, context: Any) -> bytes:
            to = self._route(signal)
            if isinstance(to, Unavailable):
                reason = f"OTEL {signal} exporter is unavailable: {to.reason}"
                await context.abort(grpc.StatusCode.FAILED_PRECONDITION, reason)
            elif not to.offer(message):
                await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too much waits already")
            return _NOTHING

        return grpc.unary_unary_rpc_method_handler(export)
