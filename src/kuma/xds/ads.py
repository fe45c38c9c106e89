"""The aggregated discovery service: one call is one session of one proxy.

    Call (gRPC) --messages--> Session --requests--> AdsStream
    ProxyHub --snapshots--> Session.sink --(pump)--> AdsStream --answers--> Call

The first request says who calls; the hub authenticates it while further requests wait. They wait, as
the bytes that they came as, until there is a snapshot to answer with: what a proxy that comes back knows
is a tenfold as objects, and after a restart all come back at once. From then on the stream machine
decides what is sent, the pump decides when.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DiscoveryRequest
from google.protobuf.message import DecodeError

from kuma.envoy.snapshot import Snapshot
from kuma.pipeline.delivery import Connection, ProxyHub, ProxyNode, ProxyRefused
from kuma.xds import wire
from kuma.xds.changes import Changes
from kuma.xds.delta import DeltaStream
from kuma.xds.node import parse_node
from kuma.xds.pump import Pump
from kuma.xds.rpc import Call, Method, Status
from kuma.xds.state_of_the_world import StateStream
from kuma.xds.stream import AdsStream, Response
from kuma.xds.traffic import Traffic

ADS: Final = "/envoy.service.discovery.v3.AggregatedDiscoveryService"
DELTA_PATH: Final = f"{ADS}/DeltaAggregatedResources"
STATE_PATH: Final = f"{ADS}/StreamAggregatedResources"
EARLY: Final = 64
"""Requests that may wait while the hub makes up its mind."""

_STATUSES: Final = {
    "unauthenticated": Status.UNAUTHENTICATED,
    "permission_denied": Status.PERMISSION_DENIED,
    "invalid_argument": Status.INVALID_ARGUMENT,
    "not_found": Status.NOT_FOUND,
    "unavailable": Status.UNAVAILABLE,
}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Variant:
    """How one variant of the protocol is read and served."""

    request: Any
    stream: type[AdsStream[Any]]
    delta: bool


DELTA: Final = Variant(DeltaDiscoveryRequest, DeltaStream, delta=True)
STATE: Final = Variant(DiscoveryRequest, StateStream, delta=False)


@dataclass
class Service:
    """What all sessions share."""

    hub: ProxyHub
    pump: Pump
    control_plane: str = ""
    """Shown by Envoy as its statistic `control_plane.identifier`."""
    patience: float = 1.0
    """Seconds; see `link.Timeouts`."""
    changes: Changes = field(default_factory=Changes)
    traffic: Traffic = field(default_factory=Traffic)
    sessions: set["Session"] = field(default_factory=set)

    def method(self, variant: Variant) -> Callable[[Call], Method]:
        return lambda call: Session(self, call, variant)


class Session:
    def __init__(self, service: Service, call: Call, variant: Variant) -> None:
        self._service = service
        self._call = call
        self._variant = variant
        self._early: list[bytes] = []
        self._joining: asyncio.Task[None] | None = None
        self._connection: Connection | None = None
        self._stream: AdsStream[Any] | None = None
        self._first: Snapshot | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._is_over = False
        self.is_queued = False
        service.sessions.add(self)
        service.traffic.streams += 1

    # What the call tells

    def message(self, content: bytes) -> None:
        if self._stream is not None:
            self._receive(self._stream, content)
        elif len(self._early) < EARLY:
            self._early.append(content)
            if self._joining is None and (node := self._read_node(content)) is not None:
                self._joining = asyncio.get_running_loop().create_task(self._join(node))
        else:
            self.finish(Status.RESOURCE_EXHAUSTED, "too many requests before the first answer")

    def half_closed(self) -> None:
        self.finish(Status.OK)

    def cancelled(self) -> None:
        self._leave()

    # What the hub tells

    def sink(self, snapshot: Snapshot) -> None:
        if self._stream is None:
            self._first = snapshot
        else:
            self._stream.offer(snapshot)
        self._service.pump.add(self)

    def refuse(self, refusal: ProxyRefused) -> None:
        self.finish(_STATUSES.get(refusal.status, Status.UNAVAILABLE), str(refusal))

    # What the pump tells

    def push(self) -> None:
        if self._stream is not None:
            self._run(self._stream.advance)
        elif self._connection is not None and self._first is not None:
            self._begin(self._connection, self._first)

    def finish(self, status: Status, message: str = "") -> None:
        self._call.finish(status, message)
        self._leave()

    def _read(self, content: bytes) -> Any:
        """None, and the call is over, if it is no request."""
        try:
            return self._variant.request.FromString(content)
        except DecodeError:
            self.finish(Status.INVALID_ARGUMENT, "the request is not a discovery request")
            return None

    def _read_node(self, content: bytes) -> ProxyNode | None:
        """None, and the call is over, if it tells none."""
        request = self._read(content)
        try:
            return None if request is None else parse_node(request.node)
        except ProxyRefused as refusal:
            self.refuse(refusal)
            return None

    async def _join(self, node: ProxyNode) -> None:
        try:
            connection = await self._service.hub.connect(
                node,
                credential=self._call.metadata.get("authorization"),
                sink=self.sink,
                refuse=self.refuse,
            )
        except ProxyRefused as refusal:
            self.refuse(refusal)
            return
        except Exception as error:
            self._fail("a proxy could not be connected", error)
            return
        if self._is_over:
            connection.closed()
            return
        self._connection = connection
        self._service.pump.add(self)

    def _begin(self, connection: Connection, first: Snapshot) -> None:
        service = self._service
        tail = wire.control_plane_field(service.control_plane, delta=self._variant.delta)
        stream = self._variant.stream(connection, service.changes, tail=tail)
        stream.offer(first)
        self._stream, self._first = stream, None
        early, self._early = self._early, []
        for content in early:
            if not self._is_over:
                self._receive(stream, content)

    def _receive(self, stream: AdsStream[Any], content: bytes) -> None:
        if (request := self._read(content)) is None:
            return
        if request.HasField("error_detail"):
            self._service.traffic.rejections += 1
        elif request.response_nonce:
            self._service.traffic.acknowledgements += 1
        self._run(lambda: stream.receive(request))

    def _run(self, step: Callable[[], list[Response]]) -> None:
        """A fault of ours costs this one stream, which the proxy opens again."""
        try:
            responses = step()
        except Exception as error:
            self._fail("a stream failed", error)
            return
        if responses:
            self._service.traffic.responses += len(responses)
            self._call.send([each.body for each in responses])
        if self._patience is None and self._stream is not None and self._stream.waits_for:
            self._be_patient(self._stream.waits_for)

    def _be_patient(self, nonce: str) -> None:
        loop = asyncio.get_running_loop()
        self._patience = loop.call_later(self._service.patience, self._lose_patience, nonce)

    def _lose_patience(self, nonce: str) -> None:
        self._patience = None
        if self._stream is None or not self._stream.waits_for:
            return
        if self._stream.waits_for == nonce and not self._call.is_blocked:
            self._run(self._stream.release)
        else:
            self._be_patient(self._stream.waits_for)

    def _fail(self, event: str, error: Exception) -> None:
        self._service.traffic.failures += 1
        log.error(event, exc_info=error)
        self.finish(Status.INTERNAL, event)

    def _leave(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._service.sessions.discard(self)
        self._service.traffic.streams -= 1
        if self._patience is not None:
            self._patience.cancel()
        self._stream, self._early = None, []
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.closed()
