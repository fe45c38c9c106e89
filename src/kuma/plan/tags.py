"""Tags as a value: pairs sorted by key."""

from collections.abc import Mapping

Tags = tuple[tuple[str, str], ...]


def as_tags(pairs: Mapping[str, str]) -> Tags:
    return tuple(sorted(pairs.items()))
