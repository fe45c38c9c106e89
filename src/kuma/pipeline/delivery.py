"""The seam between the pipeline and the servers that talk to proxies.

`xds` calls `ProxyHub.connect` when a stream has said who it is, gets snapshots through `sink` (on
the event loop, at once and after each change), and reports what Envoy made of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from kuma.envoy.snapshot import Snapshot, TypeUrl


@dataclass(frozen=True, slots=True)
class ProxyNode:
    """What Envoy said of itself in its first request. `node_id` is `<mesh>.<name>`; `metadata` is
    the node metadata as plain JSON values (reference 4.3)."""

    node_id: str
    mesh: str
    name: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


class ProxyRefused(Exception):
    """The stream must end with this gRPC status: `unauthenticated`, `permission_denied`,
    `invalid_argument`, `not_found` or `unavailable`; the message is for people."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


class Connection(Protocol):
    """One stream of one proxy. Calls are cheap and never block."""

    def sent(self, type_url: TypeUrl) -> None: ...

    def acknowledged(self, type_url: TypeUrl) -> None: ...

    def rejected(self, type_url: TypeUrl, error: str) -> None: ...

    def closed(self) -> None: ...


class ProxyHub(Protocol):
    async def connect(
        self,
        node: ProxyNode,
        *,
        credential: str | None,
        sink: Callable[[Snapshot], None],
        refuse: Callable[[ProxyRefused], None],
    ) -> Connection:
        """Authenticate, register the proxy, call `sink` with its first snapshot when there is one.

        `credential` is the `authorization` metadata as sent. `refuse` is called later, if the
        proxy loses its right to be connected (its Dataplane changed, its token was revoked).
        Raises ProxyRefused.
        """
