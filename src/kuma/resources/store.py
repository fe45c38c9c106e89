"""The store port: what a database must do for the control plane.

    commit(writes)  ->  durable, atomic, optimistic  ->  listener.changed(changes), in commit order

A backend lives in `stores/`; one contract suite runs on each. Reads that need no freshness beyond
this process's own writes come from the `Replica` (replica.py), which is such a listener.
"""

from collections.abc import Sequence
from typing import Protocol

from kuma.kit.value import value
from kuma.resources.meta import ResourceKey
from kuma.resources.resource import AnyResource


@value
class Create:
    """Fails with AlreadyExists. With an `owner`, deleting the owner deletes this too."""

    resource: AnyResource
    owner: ResourceKey | None = None


@value
class Update:
    """Fails with NotFound, or with Conflict unless `resource.meta.version` is the stored one."""

    resource: AnyResource


@value
class Delete:
    """Fails with NotFound, or with Conflict unless `version` is the stored one, if it is given. Deletes
    what the resource owns, and what that owns, as well."""

    key: ResourceKey
    version: int | None = None


Write = Create | Update | Delete


@value
class Change:
    """`resource` is the new value; None: deleted."""

    key: ResourceKey
    resource: AnyResource | None


class StoreListener(Protocol):
    """Called on the event loop, never concurrently, and must not block or raise."""

    def resynced(self, resources: Sequence[AnyResource]) -> None:
        """The complete state: at start, and after a gap in which changes may have been missed."""

    def changed(self, changes: Sequence[Change]) -> None:
        """One commit, in commit order; for own writes before `commit` returns to its caller."""

    def unavailable(self, reason: str) -> None:
        """The store stopped answering; `resynced` follows when it is back."""


class Store(Protocol):
    """Every method raises Unavailable when the backend does not answer."""

    async def start(self, listener: StoreListener) -> None:
        """Open, migrate if the backend does that itself, load everything, call `resynced`."""

    async def commit(self, writes: Sequence[Write]) -> list[AnyResource]:
        """All or nothing. Returns the stored value of each create and update (deletes give none),
        with version, creation and modification time set. Once it returns, the writes are durable."""

    async def find(self, key: ResourceKey) -> AnyResource | None:
        """The latest committed value, from the database itself."""

    async def list(self, kind: str, mesh: str | None = None) -> list[AnyResource]:
        """Sorted by (mesh, name), from the database itself."""

    async def close(self) -> None:
        """Idempotent; calls after it raise Unavailable."""
