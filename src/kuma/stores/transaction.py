"""What writes mean: versions, owners and cascade, decided once for every backend; pure.

    holdings (what is stored) + writes -> Commit (results, changes) or an error
                                       -> net()  (what to write and what to erase)

A backend reads what the writes touch, lets a Transaction decide, and stores the outcome. Commits
that share a database transaction are planned one after another; one that fails leaves no trace, so
no savepoint is needed and nobody else's write fails with it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple, Protocol

from kuma.resources.errors import AlreadyExists, Conflict, NotFound
from kuma.resources.meta import ResourceKey
from kuma.resources.resource import AnyResource
from kuma.resources.store import Change, Create, Delete, Update, Write


class Held(NamedTuple):
    """What the rules need to know of a stored resource."""

    version: int
    creation_time: datetime
    owner: ResourceKey | None


class Holdings(Protocol):
    """What is stored, as far as the writes at hand touch it."""

    def find(self, key: ResourceKey) -> Held | None: ...

    def owned_by(self, owner: ResourceKey) -> Iterable[ResourceKey]: ...


class Owned(NamedTuple):
    """A resource as it is stored: with its owner."""

    resource: AnyResource
    owner: ResourceKey | None

    @property
    def held(self) -> Held:
        meta = self.resource.meta
        return Held(meta.version, meta.creation_time, self.owner)


@dataclass(frozen=True, slots=True)
class Commit:
    """`stored`: the new value of each create and update; `changes`: what readers are told."""

    stored: list[AnyResource]
    changes: list[Change]


@dataclass(frozen=True, slots=True)
class Net:
    """The outcome of a transaction. No key is in both; the order means nothing."""

    written: list[Owned]
    erased: list[ResourceKey]


class Transaction:
    def __init__(self, stored: Holdings, now: datetime) -> None:
        self._layer = _Layer(stored)
        self._now = now

    def commit(self, writes: Sequence[Write]) -> Commit:
        """Raises NotFound, AlreadyExists or Conflict, and is then as if it had not been tried."""
        layer = _Layer(self._layer)
        done = Commit([], [])
        for write in writes:
            if isinstance(write, Create):
                self._create(layer, write, done)
            elif isinstance(write, Update):
                self._update(layer, write, done)
            else:
                _delete(layer, write, done)
        self._layer.absorb(layer)
        return done

    def net(self) -> Net:
        entries = self._layer.entries
        return Net(
            [entry for entry in entries.values() if entry is not None],
            [key for key, entry in entries.items() if entry is None],
        )

    def _create(self, layer: "_Layer", write: Create, done: Commit) -> None:
        key = write.resource.key
        if layer.find(key) is not None:
            raise AlreadyExists(key)
        if write.owner is not None and layer.find(write.owner) is None:
            raise NotFound(write.owner)
        self._put(layer, write.resource, Held(0, self._now, write.owner), done)

    def _update(self, layer: "_Layer", write: Update, done: Commit) -> None:
        key = write.resource.key
        held = layer.find(key)
        if held is None:
            raise NotFound(key)
        if held.version != write.resource.meta.version:
            raise Conflict(key)
        self._put(layer, write.resource, held, done)

    def _put(self, layer: "_Layer", resource: AnyResource, held: Held, done: Commit) -> None:
        meta = replace(
            resource.meta,
            version=held.version + 1,
            creation_time=held.creation_time,
            modification_time=self._now,
        )
        stored = replace(resource, meta=meta)
        layer.put(Owned(stored, held.owner))
        done.stored.append(stored)
        done.changes.append(Change(stored.key, stored))


def _delete(layer: "_Layer", write: Delete, done: Commit) -> None:
    """What is owned goes first, so that no reader sees it without its owner."""
    held = layer.find(write.key)
    if held is None:
        raise NotFound(write.key)
    if write.version not in {None, held.version}:
        raise Conflict(write.key)
    doomed = [write.key]
    for owner in doomed:  # grows while it is walked
        doomed.extend(layer.owned_by(owner))
    for each in reversed(doomed):
        layer.remove(each)
        done.changes.append(Change(each, None))


class _Layer:
    """Writes on top of holdings. Is itself such holdings, so that layers stack."""

    def __init__(self, below: Holdings) -> None:
        self._below = below
        self._owned: dict[ResourceKey, set[ResourceKey]] = {}
        self.entries: dict[ResourceKey, Owned | None] = {}

    def find(self, key: ResourceKey) -> Held | None:
        if key not in self.entries:
            return self._below.find(key)
        entry = self.entries[key]
        return None if entry is None else entry.held

    def owned_by(self, owner: ResourceKey) -> list[ResourceKey]:
        candidates = {*self._below.owned_by(owner), *self._owned.get(owner, ())}
        return sorted(key for key in candidates if (held := self.find(key)) and held.owner == owner)

    def put(self, entry: Owned) -> None:
        self.entries[entry.resource.key] = entry
        if entry.owner is not None:
            self._owned.setdefault(entry.owner, set()).add(entry.resource.key)

    def remove(self, key: ResourceKey) -> None:
        self.entries[key] = None

    def absorb(self, above: "_Layer") -> None:
        for key, entry in above.entries.items():
            if entry is None:
                self.remove(key)
            else:
                self.put(entry)
