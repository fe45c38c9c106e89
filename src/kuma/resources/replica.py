"""An in-memory copy of every resource, kept current by the store: synchronous, indexed reads.

The pipeline and the REST API read here. A commit of this process is visible as soon as it returns;
commits of other instances follow within milliseconds. While the store is unavailable the copy keeps
serving the pipeline (proxies keep their configuration), and `check_available` tells the API.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import structlog

from kuma.resources.errors import Unavailable
from kuma.resources.kind import Kind
from kuma.resources.meta import ResourceKey
from kuma.resources.resource import AnyResource
from kuma.resources.store import Change

log = structlog.get_logger(__name__)

Subscriber = Callable[[Sequence[Change]], None]


class Replica:
    def __init__(self) -> None:
        self._by_kind: dict[str, dict[tuple[str, str], AnyResource]] = {}
        self._subscribers: list[Subscriber] = []
        self._unavailable: str | None = "the store has not been read yet"

    def find(self, key: ResourceKey) -> AnyResource | None:
        return self._by_kind.get(key.kind, {}).get((key.mesh, key.name))

    def list(self, kind: str | Kind[Any], mesh: str | None = None) -> list[AnyResource]:
        """Sorted by (mesh, name)."""
        held: Mapping[tuple[str, str], AnyResource] = self._by_kind.get(
            kind if isinstance(kind, str) else kind.name, {}
        )
        keys = sorted(held if mesh is None else (key for key in held if key[0] == mesh))
        return [held[key] for key in keys]

    def count(self, kind: str) -> int:
        return len(self._by_kind.get(kind, {}))

    @property
    def unavailable_reason(self) -> str | None:
        """Why the store does not answer; None while it does."""
        return self._unavailable

    def check_available(self) -> None:
        """Raises Unavailable while the store does not answer, so that nobody reads stale data."""
        if self._unavailable is not None:
            raise Unavailable(self._unavailable)

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber` with each batch of changes from now on; returns the way to stop.

        Subscribers are called in the order in which they came. One that raises is logged: it must
        neither keep the change from the others nor stop the store that brings it.
        """
        self._subscribers.append(subscriber)

        def stop() -> None:
            if subscriber in self._subscribers:
                self._subscribers.remove(subscriber)

        return stop

    def resynced(self, resources: Sequence[AnyResource]) -> None:
        """Equal metadata is taken for equal resources, so that a resync after an outage does not
        compare every spec: no two writes share a key, a version and a microsecond."""
        self._unavailable = None
        incoming = {resource.key: resource for resource in resources}
        gone = [Change(key, None) for key in self._keys() if key not in incoming]
        new = [
            Change(key, resource)
            for key, resource in incoming.items()
            if (known := self.find(key)) is None or known.meta != resource.meta
        ]
        self.changed([*gone, *new])

    def changed(self, changes: Sequence[Change]) -> None:
        """Believes the store about the order: versions and times say nothing about it, since a
        resource that is made again starts at version 1, maybe by an instance whose clock is slow."""
        fresh = [change for change in changes if self._apply(change)]
        if fresh:
            for subscriber in tuple(self._subscribers):
                _tell(subscriber, fresh)

    def unavailable(self, reason: str) -> None:
        self._unavailable = reason

    def _apply(self, change: Change) -> bool:
        """Whether the change was news."""
        held = self._by_kind.setdefault(change.key.kind, {})
        place = (change.key.mesh, change.key.name)
        if change.resource is None:
            return held.pop(place, None) is not None
        if held.get(place) == change.resource:
            return False
        held[place] = change.resource
        return True

    def _keys(self) -> Iterable[ResourceKey]:
        return [
            ResourceKey(kind, mesh, name)
            for kind, held in self._by_kind.items()
            for mesh, name in held
        ]


def _tell(subscriber: Subscriber, changes: Sequence[Change]) -> None:
    try:
        subscriber(changes)
    except Exception:
        log.exception("a subscriber failed on a change", keys=[str(c.key) for c in changes[:10]])
