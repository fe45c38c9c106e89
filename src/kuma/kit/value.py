"""Immutable values whose hash is computed once.

The plan of a proxy is a tree of such values; they are keys of the caches that let a thousand
proxies share one serialized cluster, so a value is hashed often and changed never.
"""

from dataclasses import dataclass, fields
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=False)
def value(cls: type[T]) -> type[T]:
    """Make `cls` a frozen dataclass with a remembered hash.

    Every field must be hashable (tuples, not lists; sorted pairs, not dicts).
    """
    made = dataclass(frozen=True)(cls)
    structural = made.__hash__

    def remembered(self: Any) -> int:
        known: int | None = self.__dict__.get("_hash")
        if known is None:
            known = structural(self)
            object.__setattr__(self, "_hash", known)
        return known

    def without_hash(self: Any) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    made.__hash__ = remembered  # type: ignore[method-assign]
    made.__getstate__ = without_hash  # type: ignore[method-assign]
    return made
