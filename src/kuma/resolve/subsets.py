"""Rules by tags as Kuma shows them: the entries of many policies, told apart by every combination of
their tags, each with one merged conf. For people; plans are made from the entries themselves.

    entries -> subsets -> groups that can overlap -> every combination of a group -> merged confs

Source: Kuma, docs/madr/decisions/007-mesh-traffic-permission.md; reference 14.5.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count

from kuma.kit.value import value
from kuma.resolve.merge import Merge
from kuma.resolve.placement import Rule, Source, Subset, TagPredicate
from kuma.resources import labels as well_known
from kuma.resources.target_ref import TargetRef, TargetRefKind

MAX_COMBINATIONS = 20_000
"""Entries on many different tags multiply; beyond this, rules would cost more than they are worth."""

MAX_LOOKS = 500_000
"""So often an entry is asked whether it is part of a combination, half a second in all."""


class TooManyCombinations(Exception):
    """Entries or rules cannot be told apart at a bearable cost; the message says which there are too many
    of."""


@value
class Entry:
    """One item of `to` or `from`."""

    subset: Subset
    source: Source


def as_subset(target: TargetRef) -> Subset | None:
    """The tags that a target stands for; None: it stands for a resource, not for tags."""
    service = TagPredicate(well_known.SERVICE_TAG, target.name or "")
    tags = tuple(TagPredicate(key, wanted) for key, wanted in target.tags or ())
    match target.kind:
        case TargetRefKind.MESH:
            return ()
        case TargetRefKind.MESH_SUBSET:
            return tags
        case TargetRefKind.MESH_SERVICE:
            return (service,)
        case TargetRefKind.MESH_SERVICE_SUBSET:
            return (service, *tags)
        case _:
            return None


def build_rules(
    entries: Sequence[Entry], merge: Merge, *, with_negations: bool
) -> tuple[Rule, ...]:
    """Most specific first. Entries are in order of rising priority. Raises TooManyCombinations."""
    keys = {tag.key for entry in entries for tag in entry.subset}
    subsets: Iterable[Subset] = dict.fromkeys(entry.subset for entry in entries)
    if with_negations or len(keys) > 1:
        groups = _overlapping(tuple(entry.subset for entry in entries))
        subsets = (each for group in groups for each in _combinations(group))
    budget = MAX_LOOKS
    found: list[Rule] = []
    for subset in subsets:
        budget -= len(entries) + MAX_LOOKS // MAX_COMBINATIONS
        if budget < 0:
            raise TooManyCombinations
        found += _merge_into(subset, entries, merge)
    return tuple(sorted(found, key=lambda rule: -_count_positive(rule.subset)))


def contains(subset: Subset, element: Mapping[str, str]) -> bool:
    """Whether somebody with these tags belongs to `subset`. Without any tags one belongs to the
    empty subset only: a negation says nothing of the unknown."""
    if not subset:
        return True
    if not element:
        return False
    overlaps = False
    for tag in subset:
        if tag.key in element:
            overlaps = True
            if (element[tag.key] == tag.value) is tag.negated:
                return False
        elif not tag.negated:
            return False
    return overlaps or not _count_positive(subset)


def includes(wider: Subset, narrower: Subset) -> bool:
    """Whether everybody in `narrower` is in `wider`, which is that of an entry: without negations."""
    return set(wider) <= set(narrower)


def _merge_into(subset: Subset, entries: Sequence[Entry], merge: Merge) -> list[Rule]:
    sources = tuple(entry.source for entry in entries if includes(entry.subset, subset))
    if not sources:
        return []
    return [Rule(subset, conf, sources) for conf in merge([each.conf for each in sources])]


def _count_positive(subset: Subset) -> int:
    return sum(not tag.negated for tag in subset)


def _intersects(one: Subset, other: Subset) -> bool:
    return all(a.key != b.key or a.value == b.value for a in one for b in other)


def _overlapping(subsets: Sequence[Subset]) -> list[tuple[TagPredicate, ...]]:
    """The tags of each maximal set of subsets that overlap pairwise, in Kuma's order: by the
    positions of the members as text, descending."""
    if len(subsets) ** 2 > MAX_LOOKS:
        raise TooManyCombinations
    neighbours = {
        position: frozenset(
            other
            for other in range(len(subsets))
            if other != position and _intersects(subsets[position], subsets[other])
        )
        for position in range(len(subsets))
    }
    cliques = sorted(
        (sorted(clique) for clique in _maximal_cliques(neighbours)),
        key=lambda clique: ":".join(map(str, clique)),
        reverse=True,
    )
    return [
        tuple(sorted({tag for member in clique for tag in subsets[member]}, key=_by_key_and_value))
        for clique in cliques
    ]


def _by_key_and_value(tag: TagPredicate) -> tuple[str, str]:
    return tag.key, tag.value


def _maximal_cliques(neighbours: Mapping[int, frozenset[int]]) -> Iterator[frozenset[int]]:
    """Bron and Kerbosch's algorithm with pivoting, without recursion.

    Source: https://doi.org/10.1016/j.tcs.2006.06.015
    """
    budget = count()
    stack = [(frozenset[int](), frozenset(neighbours), frozenset[int]())]
    while stack:
        if next(budget) > MAX_COMBINATIONS:
            raise TooManyCombinations
        clique, candidates, excluded = stack.pop()
        if not candidates:
            if not excluded and clique:
                yield clique
            continue
        pivot = max(candidates | excluded, key=lambda node: len(neighbours[node] & candidates))
        for node in candidates - neighbours[pivot]:
            stack.append(
                (clique | {node}, candidates & neighbours[node], excluded & neighbours[node])
            )
            candidates -= {node}
            excluded |= {node}


def _combinations(tags: Sequence[TagPredicate]) -> Iterator[Subset]:
    """Of each key either one value, or none of them; every combination, the first key fastest,
    counted like an odometer that starts after zero, so that zero comes last."""
    values: dict[str, list[str]] = {}
    for tag in tags:
        values.setdefault(tag.key, []).append(tag.value)
    choices = [_choices(key, found) for key, found in values.items()]
    state = [0] * len(choices)
    while True:
        for position, options in enumerate(choices):
            state[position] = (state[position] + 1) % len(options)
            if state[position]:
                break
        yield tuple(
            tag for options, chosen in zip(choices, state, strict=True) for tag in options[chosen]
        )
        if not any(state):
            return


def _choices(key: str, values: Sequence[str]) -> list[Subset]:
    """Each value alone, the last first; then none of them."""
    single = [(TagPredicate(key, each),) for each in reversed(values)]
    return [*single, tuple(TagPredicate(key, each, negated=True) for each in values)]
