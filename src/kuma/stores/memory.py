"""The store that forgets: resources live as long as the process. For tests and trying things out."""

from collections.abc import Sequence

from kuma.kit.clock import Clock
from kuma.resources.errors import Unavailable
from kuma.resources.meta import ResourceKey
from kuma.resources.registry import Registry
from kuma.resources.resource import AnyResource
from kuma.resources.store import StoreListener, Write
from kuma.stores.transaction import Held, Net, Owned, Transaction


class MemoryStore:
    def __init__(self, registry: Registry, clock: Clock) -> None:
        self._clock = clock
        self._held = _Held()
        self._listener: StoreListener | None = None

    async def start(self, listener: StoreListener) -> None:
        self._listener = listener
        listener.resynced([])

    async def commit(self, writes: Sequence[Write]) -> list[AnyResource]:
        listener = self._check_open()
        transaction = Transaction(self._held, self._clock.now())
        commit = transaction.commit(writes)
        self._held.apply(transaction.net())
        if commit.changes:
            listener.changed(commit.changes)
        return commit.stored

    async def find(self, key: ResourceKey) -> AnyResource | None:
        self._check_open()
        entry = self._held.entries.get(key)
        return None if entry is None else entry.resource

    async def list(self, kind: str, mesh: str | None = None) -> list[AnyResource]:
        self._check_open()
        keys = (key for key in self._held.entries if key.kind == kind and mesh in {None, key.mesh})
        return [self._held.entries[key].resource for key in sorted(keys)]

    async def close(self) -> None:
        self._listener = None

    def _check_open(self) -> StoreListener:
        if self._listener is None:
            raise Unavailable("the store is closed")
        return self._listener


class _Held:
    """Everything, by key and by owner."""

    def __init__(self) -> None:
        self.entries: dict[ResourceKey, Owned] = {}
        self._by_owner: dict[ResourceKey, set[ResourceKey]] = {}

    def find(self, key: ResourceKey) -> Held | None:
        entry = self.entries.get(key)
        return None if entry is None else entry.held

    def owned_by(self, owner: ResourceKey) -> set[ResourceKey]:
        return self._by_owner.get(owner, set())

    def apply(self, net: Net) -> None:
        for key in [*net.erased, *(entry.resource.key for entry in net.written)]:
            self._forget(key)
        for entry in net.written:
            self.entries[entry.resource.key] = entry
            if entry.owner is not None:
                self._by_owner.setdefault(entry.owner, set()).add(entry.resource.key)

    def _forget(self, key: ResourceKey) -> None:
        entry = self.entries.pop(key, None)
        if entry is None or entry.owner is None:
            return
        siblings = self._by_owner[entry.owner]
        siblings.discard(key)
        if not siblings:
            del self._by_owner[entry.owner]
