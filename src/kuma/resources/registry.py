"""All kinds of this process, found by name or by the short name of KRIs."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any

from kuma.resources.kind import Kind


class UnknownKind(Exception):
    """`nearest` is the closest known name, if any is close."""

    def __init__(self, name: str, nearest: str | None) -> None:
        hint = f', did you mean "{nearest}"?' if nearest else ""
        super().__init__(f'unknown resource type "{name}"{hint}')
        self.name = name
        self.nearest = nearest


class Registry:
    def __init__(self, kinds: Iterable[Kind[Any]]) -> None:
        self._by_name = {kind.name: kind for kind in kinds}
        self._by_short = {kind.short: kind for kind in self if kind.short and kind.path}

    def __iter__(self) -> Iterator[Kind[Any]]:
        return iter(self._by_name.values())

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def kind(self, name: str) -> Kind[Any]:
        """Raises UnknownKind."""
        if (kind := self._by_name.get(name)) is not None:
            return kind
        lowered = {known.lower(): known for known in self._by_name}
        close = get_close_matches(name.lower(), lowered, n=1)
        raise UnknownKind(name, lowered[close[0]] if close else None)

    def find_by_short(self, short: str) -> Kind[Any] | None:
        """By the short name that KRIs use (`dp`); an overview goes by its resource's."""
        return self._by_short.get(short)

    def policies(self) -> tuple[Kind[Any], ...]:
        """The targetRef policies in order of application."""
        found = [(k.policy.order, k.name, k) for k in self if k.policy]
        return tuple(kind for _, _, kind in sorted(found, key=lambda each: each[:2]))
