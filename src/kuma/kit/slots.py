"""A typed slot for each kind of value, so that a carrier need not know what it carries.

`plan` values carry the configuration of policies this way: `inbound.conf.get(TimeoutConf)`.
"""

from collections.abc import Iterator
from typing import TypeVar

from kuma.kit.value import value

T = TypeVar("T")


@value
class Slots:
    """At most one value of each type; sorted by type name, so that order of insertion is no matter."""

    items: tuple[object, ...] = ()

    def get(self, type_: type[T]) -> T | None:
        for item in self.items:
            if type(item) is type_:
                return item
        return None

    def put(self, item: object) -> "Slots":
        """Return a copy in which `item` takes the slot of its type."""
        kept = [other for other in self.items if type(other) is not type(item)]
        return Slots(tuple(sorted([*kept, item], key=lambda each: type(each).__name__)))

    def __iter__(self) -> Iterator[object]:
        return iter(self.items)


EMPTY = Slots()
