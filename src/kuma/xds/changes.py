"""What differs between two states of one type, worked out once for all streams that see it.

A thousand proxies that go from the same mapping to the same mapping share the Change and its
serialized entries. Mappings are immutable, so their identity is a safe key while they are held. Of
layered mappings the layers are compared, so that what proxies share is shared here as well.
"""

from collections import OrderedDict
from typing import Final

from kuma.envoy.snapshot import NOTHING, EnvoyResource, Layered, Named
from kuma.xds import wire

REMEMBERED: Final = 256
"""Changes remembered. A burst in which more distinct ones are under way costs time, not memory."""


class Change:
    """`upserted` came or changed, as it is now; `gone` left, as it was; `added`: some of `upserted`
    is new, not changed."""

    __slots__ = ("_asked", "_entries", "added", "gone", "upserted")

    def __init__(
        self, upserted: tuple[EnvoyResource, ...], gone: tuple[EnvoyResource, ...], *, added: bool
    ) -> None:
        self.upserted = upserted
        self.gone = gone
        self.added = added
        self._entries: bytes | None = None
        self._asked = False

    def delta_entries(self) -> bytes:
        """All of `upserted` as the `resources` of a delta answer. Kept from the second call on:
        what only one stream asks for is not worth the memory."""
        if self._entries is not None:
            return self._entries
        entries = wire.delta_entries(self.upserted)
        if self._asked:
            self._entries = entries
        self._asked = True
        return entries


class _Joined(Change):
    """The changes of two layers. Their serialized entries are joined anew for each stream: one of
    them is its own."""

    __slots__ = ("_parts",)

    def __init__(self, shared: Change, own: Change) -> None:
        super().__init__(
            own.upserted + shared.upserted,
            own.gone + shared.gone,
            added=own.added or shared.added,
        )
        self._parts = (own, shared)

    def delta_entries(self) -> bytes:
        return b"".join([part.delta_entries() for part in self._parts])


NO_CHANGE: Final = Change((), (), added=False)


def compare(old: Named, new: Named) -> Change:
    upserted = []
    kept = 0
    for name, resource in new.items():
        before = old.get(name)
        if before is None:
            upserted.append(resource)
            continue
        kept += 1
        if before is not resource and before.version != resource.version:
            upserted.append(resource)
    gone = [each for name, each in old.items() if name not in new] if kept < len(old) else []
    return Change(tuple(upserted), tuple(gone), added=kept < len(new))


class Changes:
    """Remembers the latest comparisons by the identity of both sides."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._limit = remembered
        self._known: OrderedDict[tuple[int, int], tuple[object, object, Change]] = OrderedDict()

    def between(self, old: Named, new: Named) -> Change:
        before, after = _layers(old), _layers(new)
        if before is None or after is None:
            return self._whole(old, new)
        if not (
            after.shared.keys().isdisjoint(before.own)
            and before.shared.keys().isdisjoint(after.own)
        ):
            return compare(old, new)  # something moved from one layer to the other
        shared = self._whole(before.shared, after.shared)
        own = NO_CHANGE if before.own is after.own else compare(before.own, after.own)
        if not own.upserted and not own.gone:
            return shared
        if not shared.upserted and not shared.gone:
            return own
        return _Joined(shared, own)

    def again(self, clusters: tuple[EnvoyResource, ...], assigned: Named) -> Change:
        """The endpoints of clusters, sent though they are what they were."""
        key = (id(clusters), id(assigned))
        entry = self._known.get(key)
        if entry is not None:
            return entry[2]
        names = dict.fromkeys(each.name for each in clusters)
        found = tuple(assigned[name] for name in names if name in assigned)
        change = Change(found, (), added=False)
        self._remember(key, clusters, assigned, change)
        return change

    def _whole(self, old: Named, new: Named) -> Change:
        if old is new:
            return NO_CHANGE
        key = (id(old), id(new))
        entry = self._known.get(key)
        if entry is not None:
            return entry[2]
        change = compare(old, new)
        self._remember(key, old, new, change)
        return change

    def _remember(self, key: tuple[int, int], one: object, other: object, change: Change) -> None:
        self._known[key] = (one, other, change)
        if len(self._known) > self._limit:
            self._known.popitem(last=False)


_EMPTY: Final = Layered(NOTHING, NOTHING)


def _layers(named: Named) -> Layered | None:
    """None: `named` is to be compared as a whole."""
    if isinstance(named, Layered):
        return named if named.is_disjoint else None
    return None if named else _EMPTY
