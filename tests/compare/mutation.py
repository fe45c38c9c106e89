"""Breaks a valid document a little: a missing, empty, foreign or unknown part somewhere in it."""

from copy import deepcopy
from typing import Any

from tests.compare.chance import Chance, Json

_VALUES = (None, "", "x", -1, 0, 1.5, True, [], {}, ["x"], {"x": 1}, "1s", "A b", "ä", "a" * 300)
_META = ("type", "mesh", "name")


def mutated(r: Chance, document: Json) -> Json:
    copy = deepcopy(document)
    holder, key = r.choice(_places(copy))
    choice = r.random()
    if choice < 0.3:
        del holder[key]
    elif choice < 0.75:
        holder[key] = r.choice(_VALUES)
    elif isinstance(holder, dict):
        holder[r.choice(["unknown", "kind", "name", "labels", "tags", "port"])] = r.choice(_VALUES)
    else:
        holder.append(r.choice([deepcopy(holder[0]), r.choice(_VALUES)]))
    return copy


def _places(document: Json) -> list[tuple[Any, Any]]:
    """Everything below the document that may be changed: all but what names the resource."""
    found: list[tuple[Any, Any]] = []
    waiting = [(document, key) for key in document if key not in _META]
    while waiting:
        holder, key = waiting.pop()
        found.append((holder, key))
        child = holder[key]
        if isinstance(child, dict):
            waiting += [(child, each) for each in child]
        elif isinstance(child, list):
            waiting += [(child, each) for each in range(len(child))]
    return found


def odd(r: Chance, document: Json, share: float = 0.15) -> Json:
    return mutated(r, document) if r.at(share) else document
