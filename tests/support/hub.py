"""A ProxyHub by hand: a test publishes snapshots and reads what became of them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from kuma.envoy.snapshot import Snapshot, TypeUrl
from kuma.pipeline.delivery import ProxyNode, ProxyRefused

EMPTY = Snapshot({})


@dataclass
class FakeConnection:
    """One stream, and all that was reported of it."""

    hub: "FakeHub"
    node: ProxyNode
    sink: Callable[[Snapshot], None]
    refuse: Callable[[ProxyRefused], None]
    sent_types: list[TypeUrl] = field(default_factory=list)
    acknowledged_types: list[TypeUrl] = field(default_factory=list)
    rejections: list[tuple[TypeUrl, str]] = field(default_factory=list)
    is_closed: bool = False

    def sent(self, type_url: TypeUrl) -> None:
        self.sent_types.append(type_url)
        self.hub.changed()

    def acknowledged(self, type_url: TypeUrl) -> None:
        self.acknowledged_types.append(type_url)
        self.hub.changed()

    def rejected(self, type_url: TypeUrl, error: str) -> None:
        self.rejections.append((type_url, error))
        self.hub.changed()

    def closed(self) -> None:
        assert not self.is_closed, "closed is reported once"
        self.is_closed = True
        self.hub.changed()


class FakeHub:
    """Gives every proxy the snapshot that was published last, for it or for all."""

    def __init__(self, *, credential: str | None = None) -> None:
        self.connections: list[FakeConnection] = []
        self.decides = asyncio.Event()
        """Cleared, connects wait."""
        self.decides.set()
        self.defect: Exception | None = None
        self._credential = credential
        self._snapshots: dict[str, Snapshot] = {}
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    async def connect(
        self,
        node: ProxyNode,
        *,
        credential: str | None,
        sink: Callable[[Snapshot], None],
        refuse: Callable[[ProxyRefused], None],
    ) -> FakeConnection:
        await self.decides.wait()
        if self.defect is not None:
            raise self.defect
        if self._credential is not None and credential != self._credential:
            raise ProxyRefused("unauthenticated", "the dataplane token is not valid: 100% wrong")
        connection = FakeConnection(self, node, sink, refuse)
        self.connections.append(connection)
        snapshot = self._snapshots.get(node.node_id) or self._snapshots.get("")
        if snapshot is not None:
            sink(snapshot)
        self.changed()
        return connection

    def publish(self, snapshot: Snapshot, *, node_id: str = "") -> None:
        """To one proxy, or to all; also to those that connect later."""
        self._snapshots[node_id] = snapshot
        for connection in self.connections:
            if not connection.is_closed and node_id in {"", connection.node.node_id}:
                connection.sink(snapshot)

    def changed(self) -> None:
        for waiting in list(self._waiting):
            holds, future = waiting
            if not future.done() and holds():
                future.set_result(None)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for something to be reported that makes `holds` true."""
        if holds():
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = (holds, future)
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout(20):
                await future
        finally:
            self._waiting.remove(waiting)
