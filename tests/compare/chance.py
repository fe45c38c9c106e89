"""A seeded source of values. The same seed gives the same set of resources, on every machine.

`edge` is the share of values at, or just outside of, what is allowed.
"""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

Json = Any
Make = Callable[[], Json]

_DURATIONS = ("1s", "5s", "15s", "1m", "90s", "1h", "2h30m", "500ms", "1.5s", "77s", "24h")
_ODD_DURATIONS = ("0s", "-1s", "1d", "abc", "", "10", 5, "0.5ms", "1h-2m", "9999999h", None, "1 s")


class Chance(Random):
    edge: float = 0.0

    def at(self, probability: float) -> bool:
        return self.random() < probability

    @property
    def is_odd(self) -> bool:
        return self.at(self.edge)

    def one(self, values: Sequence[Any], odd: Sequence[Any] = ("", "Wrong", None, 1)) -> Json:
        return self.choice(odd) if self.is_odd else self.choice(values)

    def some_of(self, values: Sequence[Any], *, least: int = 0, most: int = 3) -> list[Any]:
        return self.sample(values, min(len(values), self.randint(least, most)))

    def many(self, make: Make, *, least: int = 1, most: int = 3) -> list[Json]:
        return [make() for _ in range(0 if self.is_odd else self.randint(least, most))]

    def duration(self) -> Json:
        return self.one(_DURATIONS, _ODD_DURATIONS)

    def number(self, low: int = 1, high: int = 100) -> Json:
        odd = (0, -1, low - 1, high + 1, "7", 1.5, 2**32, None, True)
        return self.one((low, high, self.randint(low, high)), odd)

    def percentage(self) -> Json:
        return self.one(
            (0, 1, 50, 100, "0.5", "12.5", "99.9"), (-1, 101, "100.1", "x", 1.5, "", None)
        )

    def flag(self) -> Json:
        return self.one((True, False), ("true", 1, None))

    def header(self) -> str:
        return self.one(
            ("x-team", "x-request-id", "accept", "x_under"),
            ("X-Upper", "", "a b", ":path", "h" * 257),
        )

    def some(self, share: float = 0.5, **fields: Make) -> dict[str, Json]:
        """An object with some of the fields; one at least, unless odd."""
        chosen = [name for name in fields if self.at(share)]
        if not chosen and not self.is_odd:
            chosen = [self.choice(list(fields))]
        return {name.rstrip("_"): fields[name]() for name in chosen}

    def whole(self, **fields: Make) -> dict[str, Json]:
        """An object with all of the fields, unless odd."""
        kept = [name for name in fields if not self.at(self.edge / 3)]
        return {name.rstrip("_"): fields[name]() for name in kept}

    def tagged(self, **variants: Make) -> dict[str, Json]:
        """An object whose `type` says which of its fields is meant."""
        kind = self.choice(list(variants))
        if self.is_odd:
            return self.some(type=lambda: self.one(list(variants)), **_lowered(variants))
        return {"type": kind, **_lowered({kind: variants[kind]}, call=True)}


def _lowered(variants: Mapping[str, Make], *, call: bool = False) -> dict[str, Any]:
    """The fields are named after the variants: `Zipkin` is in `zipkin`."""
    named = {(name[0].lower() + name[1:]): make for name, make in variants.items()}
    return {name: make() for name, make in named.items()} if call else named
