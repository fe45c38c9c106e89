"""What differs between two states of one type, worked out once for all streams that see it.

A thousand proxies that go from the same mapping to the same mapping share the Change and its
serialized entries. Mappings are immutable, so their identity is a safe key while they are held.
"""

from collections import OrderedDict
from typing import Final

from kuma.envoy.snapshot import EnvoyResource, Named
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
        self._known: OrderedDict[tuple[int, int], tuple[Named, Named, Change]] = OrderedDict()

    def between(self, old: Named, new: Named) -> Change:
        key = (id(old), id(new))
        entry = self._known.get(key)
        if entry is not None:
            return entry[2]
        change = compare(old, new)
        self._known[key] = (old, new, change)
        if len(self._known) > self._limit:
            self._known.popitem(last=False)
        return change
