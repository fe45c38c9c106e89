"""A document without what was told to be wrong, so that the rest of it can be compared too."""

import json
import re
from collections.abc import Iterable

from tests.compare.chance import Json

_META = ("type", "mesh", "name")
Place = tuple[str | int, ...]


def without(document: Json, fields: Iterable[str]) -> Json | None:
    """None: nothing could be taken away. Of what is missing, what should have it is taken."""
    places = {place for each in fields if (place := _place(document, each))}
    if not places:
        return None
    found = json.loads(json.dumps(document))
    for place in sorted(places, key=_order, reverse=True):
        holder = found
        for part in place[:-1]:
            holder = holder[part]
        del holder[place[-1]]
    return found


def find(document: Json, field: str) -> Json:
    """What stands there; or the innermost thing around it."""
    here = document
    for part in _place(document, field):
        here = here[part]
    return here


def _order(place: Place) -> list[tuple[int, str, int]]:
    return [(0, "", part) if isinstance(part, int) else (1, part, 0) for part in place]


def _place(document: Json, field: str) -> Place:
    """Where the field stands, or the innermost thing around it that is there."""
    place: list[str | int] = []
    here, rest = document, field
    while rest:
        step = _step(here, rest.lstrip("."))
        if step is None:
            break
        part, rest = step
        place.append(part)
        here = here[part]
    return () if not place or place[0] in _META else tuple(place)


def _step(here: Json, rest: str) -> tuple[str | int, str] | None:
    """The next part and what is left. Keys of maps may have dots, or stand in brackets."""
    if isinstance(here, list):
        found = re.match(r"\[(\d+)\]", rest)
        if found is None or int(found[1]) >= len(here):
            return None
        return int(found[1]), rest[found.end() :]
    if not isinstance(here, dict):
        return None
    for key in sorted(here, key=len, reverse=True):
        for form in (f'["{key}"]', key):
            if rest == form or rest.startswith((f"{form}.", f"{form}[")):
                return key, rest[len(form) :]
    return None
