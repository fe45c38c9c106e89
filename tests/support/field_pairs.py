"""For each field of a kind, documents that differ in it alone: is anything else configured then?

    full documents -> places of each field, by the model -> other values there -> what comes of them

A field whose values have names (`mode: Strict`) shows if each two of its values give something else. What
names the type of an object, `type: Zipkin`, is changed together with the object, since what belongs to one
type is refused beside another; so are references, of which only some parts go together.
"""

import copy
import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from itertools import combinations
from typing import Any, Literal, get_args, get_origin

from kuma.resources.spec import Json, SpecModel
from tests.support.annotations import PAIRS, is_model, options

Raw = dict[str, Any]


@dataclass(frozen=True)
class Refused:
    """The fields that are named, as they are written: `spec.to[0].default.http`."""

    fields: tuple[str, ...]


See = Callable[[Raw], Hashable]
"""What comes of a document, whatever can be compared, or `Refused`."""
_MISSING = object()
_SORTS = ("kind", "type", "predicate", "operation", "op")
"""Fields that say what else may be in their object."""
_TEXTS = (
    *("other", "/other", "x-other", "example.org", "192.0.2.1", "192.0.2.0/24", "192.0.2.1:80"),
    *("http://other:80", "spiffe://other", "7", "Zm9v", "40Mbps", "altStatName: other", "{{ .Name }}.x"),
)  # fmt: skip
_MOST = 25
_NUMBERS = (7, 3, 80, 418, 65537)


@dataclass(frozen=True)
class Place:
    """A field, or an object, in one of the documents: `keys` lead to it."""

    path: str
    document: int
    keys: tuple[str | int, ...]
    annotation: Any
    is_item: bool = False
    """Of a list that is not there."""

    def put(self, document: Raw, changed: object) -> Raw:
        """A copy with something else there; without the field if it is `_MISSING`."""
        made: Raw = copy.deepcopy(document)
        here: Any = made
        for key in self.keys[:-1]:
            here = here[key]
        if changed is not _MISSING:
            here[self.keys[-1]] = [changed] if self.is_item else changed
        elif isinstance(here, list) or self.keys[-1] in here:
            del here[self.keys[-1]]
        return made

    def find(self, document: Raw) -> Any:
        here: Any = document
        for key in self.keys:
            if isinstance(here, dict) and key not in here:
                return _MISSING
            here = here[key]
        return here


@dataclass
class Shown:
    """What was seen of each field. `values`: pairs of its named values that give something else."""

    fields: set[str] = field(default_factory=set)
    values: dict[str, set[frozenset[str]]] = field(default_factory=lambda: defaultdict(set))
    taken: set[str] = field(default_factory=set)
    """Fields that were given something else, which was not refused."""
    refusals: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """What was named when something else was refused."""

    def saw(self, path: str, found: Hashable) -> None:
        if isinstance(found, Refused):
            self.refusals[path] |= {re.sub(r"\[\d+\]", "[]", each) for each in found.fields}
        else:
            self.taken.add(path)

    def alike(self, path: str, annotation: Any) -> list[tuple[str, str]]:
        """Pairs of the named values of a field of which no two were seen to give something else."""
        names = sorted(str(each) for each in named_values(annotation))
        return [each for each in combinations(names, 2) if frozenset(each) not in self.values[path]]


def fields_of(model: type[SpecModel]) -> dict[str, Any]:
    """Every field that holds no others, with its type."""
    return {path: annotation for path, annotation in _leaves(model, "", ()) if path}


def named_values(annotation: Any) -> list[Any]:
    """What may stand there where that is a list of names."""
    found: list[Any] = []
    for option in options(annotation):
        if isinstance(option, type) and issubclass(option, Enum):
            found += [each.value for each in option]
        elif get_origin(option) is Literal:
            found += get_args(option)
    return found


def show(
    model: type[SpecModel],
    documents: Sequence[Raw],
    see: See,
    *,
    wholes: Mapping[str, Sequence[Any]],
) -> Shown:
    """`wholes`: by the end of a path, objects that are put there as a whole."""
    shown = Shown()
    places = [each for at, one in enumerate(documents) for each in _places(model, one, at)]
    known = _found_objects(places, documents)
    texts = _texts_by_path(places, documents)
    tried: set[tuple[str, ...]] = set()
    for place in places:
        document = documents[place.document]
        if (objects := _wholes_for(place, wholes)) is not None:
            shape = (place.path, *sorted(document))
            if shape not in tried:
                tried.add(shape)
                _try_wholes(place, document, see, shown, objects)
        elif _is_leaf(place.annotation):
            if not _is_in_whole(place, wholes):
                _try_values(place, document, see, shown, texts=texts[place.path])
        elif len(known[place.path]) > 1:
            _try_wholes(place, document, see, shown, known[place.path])
    return shown


def _try_values(place: Place, document: Raw, see: See, shown: Shown, *, texts: list[str]) -> None:
    names = named_values(place.annotation)
    if place.path in shown.fields and not shown.alike(place.path, place.annotation):
        return
    there, before = place.find(document), see(document)
    assert not isinstance(before, Refused), before
    seen: dict[str, Hashable] = {}
    for candidate in names or [*_candidates(place.annotation, texts), _MISSING]:
        if candidate is there or (candidate == there and type(candidate) is type(there)):
            found = before
        else:
            found = see(place.put(document, candidate))
            shown.saw(place.path, found)
        if isinstance(found, Refused):
            continue
        seen[str(candidate)] = found
        if found != before:
            shown.fields.add(place.path)
            if not names:
                return
    for one, other in combinations(seen, 2):
        if seen[one] != seen[other]:
            shown.values[place.path].add(frozenset({one, other}))


def _try_wholes(
    place: Place, document: Raw, see: See, shown: Shown, objects: Sequence[Any]
) -> None:
    """Of each two objects that differ in one field, or in their type and what belongs to it."""
    seen = [(each, see(place.put(document, each))) for each in objects]
    for (one, first), (other, second) in combinations(seen, 2):
        name = _difference(one, other)
        if not name:
            continue
        path = f"{place.path}.{name}"
        refused = [each for each in (first, second) if isinstance(each, Refused)]
        for each in refused or (first,):
            shown.saw(path, each)
        if not refused and first != second:
            shown.fields.add(path)
            names = (one.get(name.rstrip("[]")), other.get(name.rstrip("[]")))
            shown.values[path].add(
                frozenset(str(each[0] if isinstance(each, list) else each) for each in names)
            )


def _difference(one: Raw, other: Raw) -> str:
    """The only field that differs, or the one that names the sort of both; empty: neither."""
    names = [name for name in {*one, *other} if one.get(name) != other.get(name)]
    if sorts := [name for name in _SORTS if name in names]:
        return sorts[0]
    if len(names) != 1:
        return ""
    is_list = isinstance(one.get(names[0]) or other.get(names[0]), list)
    return f"{names[0]}[]" if is_list else names[0]


def _found_objects(places: list[Place], documents: Sequence[Raw]) -> dict[str, list[Any]]:
    """By path, the objects that say of which sort they are: what may stand in the place of the others."""
    found: dict[str, list[Any]] = defaultdict(list)
    for place in places:
        there = place.find(documents[place.document])
        has_sort = isinstance(there, dict) and any(name in there for name in _SORTS)
        if has_sort and there not in found[place.path]:
            found[place.path].append(there)
    return found


def _wholes_for(place: Place, wholes: Mapping[str, Sequence[Any]]) -> Sequence[Any] | None:
    return next((each for end, each in wholes.items() if place.path.endswith(end)), None)


def _is_in_whole(place: Place, wholes: Mapping[str, Sequence[Any]]) -> bool:
    parts = place.path.split(".")
    heads = [".".join(parts[:at]) for at in range(1, len(parts))]
    return any(head.endswith(end) for head in heads for end in wholes)


def _places(model: type[SpecModel], raw: Raw, document: int) -> Iterator[Place]:
    yield from _places_in(model, raw, Place("", document, (), model))


def _places_in(model: type[SpecModel], raw: Raw, at: Place) -> Iterator[Place]:
    for name, info in model.model_fields.items():
        key = info.alias or name
        path = f"{at.path}.{key}" if at.path else key
        place = Place(path, at.document, (*at.keys, key), info.annotation)
        inner = next((each for o in options(info.annotation) if (each := _inner(o))), None)
        if key not in raw and inner is not None and _is_leaf(inner):
            place = Place(f"{path}[]", at.document, place.keys, inner, is_item=True)
        yield place
        yield from _within(raw.get(key), place)


def _within(raw: object, at: Place) -> Iterator[Place]:
    for option in options(at.annotation):
        inner, path = _inner(option), at.path
        if isinstance(raw, dict) and is_model(option):
            yield from _places_in(option, raw, at)
        elif inner is not None and isinstance(raw, list | dict):
            items = raw.items() if isinstance(raw, dict) else enumerate(raw)
            path += "{}" if isinstance(raw, dict) else "[]"
            for key, each in items:
                place = Place(path, at.document, (*at.keys, key), inner)
                yield place
                yield from _within(each, place)


def _leaves(model: Any, path: str, within: tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    for name, info in model.model_fields.items():
        yield from _leaf(info.annotation, f"{path}.{info.alias or name}".lstrip("."), within)


def _leaf(annotation: Any, path: str, within: tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    if _is_leaf(annotation):
        yield path, annotation
        return
    for option in options(annotation):
        inner = _inner(option)
        if is_model(option) and option not in within:
            yield from _leaves(option, path, (*within, option))
        elif inner is not None:
            yield from _leaf(inner, path + ("[]" if get_origin(option) is tuple else "{}"), within)


def _inner(option: Any) -> Any:
    """What a list or a map holds; None: it is neither."""
    if get_origin(option) is tuple and option != PAIRS:
        return get_args(option)[0]
    return get_args(option)[1] if get_origin(option) in {dict, Mapping} else None


def _is_leaf(annotation: Any) -> bool:
    return all(not is_model(each) and _inner(each) is None for each in options(annotation))


def _candidates(annotation: Any, texts: list[str]) -> list[Any]:
    found: list[Any] = []
    for option in options(annotation):
        if option is bool:
            found += [True, False]
        elif option in {int, float}:
            found += _NUMBERS
        elif option is timedelta:
            found += ["7s", "13m"]
        elif option is datetime:
            found += ["2026-01-01T00:00:00Z"]
        elif option == PAIRS:
            found += [{"version": "v2"}, {"team": "red"}, {"kuma.io/service": "other"}]
        elif option is Json:
            found += ["other", {"a": 1}, 7]
        elif option is bytes:
            found += ["Zm9v"]
        else:
            found += [*texts[:1], *_TEXTS, *texts[1:]]
    return found


def _texts_by_path(places: list[Place], documents: Sequence[Raw]) -> dict[str, list[str]]:
    """What the documents say themselves, of that field first: it names what there is."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for place in places:
        there = place.find(documents[place.document])
        if isinstance(there, str):
            found[place.path][there] = None
    every = sorted({text for each in found.values() for text in each})
    return {place.path: [*found[place.path], *every][:_MOST] for place in places}
