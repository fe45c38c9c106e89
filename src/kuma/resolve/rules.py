"""What a set of policies of one kind says of a destination, of a route to it, of a client.

Keyed by the policies' names, not by the proxy: proxies that match the same policies share them.

    entries --merge those that hold--> one rule              for plans: exact, and cheap
            --subsets.build_rules----> every combination     for people, as Kuma shows them
"""

from collections.abc import Iterator
from typing import Any

from kuma.kit.derived import derived
from kuma.kit.value import value
from kuma.plan.origin import Origin
from kuma.resolve.inbound_rules import build_inbound_rules
from kuma.resolve.match import find_route
from kuma.resolve.order import top_target, weakest_first
from kuma.resolve.placement import InboundRules, Placement, Rule, Source, Subset, TagPredicate
from kuma.resolve.subsets import Entry, TooManyCombinations, as_subset, build_rules, contains
from kuma.resolve.view import MeshView
from kuma.resources import labels as well_known
from kuma.resources.resource import AnyResource
from kuma.resources.target_ref import TargetRefKind

RULE_HASH_TAG = "__rule-matches-hash__"
"""Stands for the route that a destination is reached over, beside its tags."""

Names = tuple[str, ...]


@value
class Combined:
    """Rules for all combinations of tags; `is_complete` False: there are too many, and none."""

    rules: tuple[Rule, ...] = ()
    is_complete: bool = True


def placement_of(view: MeshView, kind: str) -> Placement:
    return next(each for each in view.placements if each.name == kind)


@derived
def named_policies(view: MeshView, kind: str, names: Names) -> tuple[AnyResource, ...]:
    """The policies with these names, weakest first."""
    wanted = frozenset(names)
    return weakest_first(each for each in view.policies(kind) if each.name in wanted)


@derived
def to_entries(view: MeshView, kind: str, names: Names) -> tuple[Entry, ...]:
    """The entries of `to` that speak of tags, weakest first."""
    policies = named_policies(view, kind, names)
    return tuple(entry for policy in policies for entry in _to_entries(view, policy))


@derived
def from_entries(view: MeshView, kind: str, names: Names) -> tuple[Entry, ...]:
    """The entries of `from`, weakest first."""
    policies = named_policies(view, kind, names)
    return tuple(entry for policy in policies for entry in _from_entries(policy))


@derived
def rule_for(
    view: MeshView, kind: str, names: Names, service: str, rule_hash: str = ""
) -> Rule | None:
    """What holds for a destination, or for one route to it. None: no policy speaks of it.

    # Differs from Kuma: every entry that holds takes part. Kuma picks the first of its combined
    # rules, and those of one group of entries can hide the entries of another.
    """
    element = {well_known.SERVICE_TAG: service}
    if rule_hash:
        element[RULE_HASH_TAG] = rule_hash
    entries = to_entries(view, kind, names)
    sources = tuple(each.source for each in entries if contains(each.subset, element))
    if not sources:
        return None
    subset = tuple(TagPredicate(key, wanted) for key, wanted in sorted(element.items()))
    return _merged(view, kind, subset, sources)


@derived
def proxy_rule(view: MeshView, kind: str, names: Names) -> Rule | None:
    """What policies with a single `default` say of a proxy that they all select; None: there are none,
    or it is not known what they say together."""
    policies = named_policies(view, kind, names)
    sources = tuple(
        Source(Origin(kind, policy.mesh, policy.name), policy.spec.default)  # type: ignore[attr-defined] # such kinds have it
        for policy in policies
    )
    return _merged(view, kind, (), sources) if sources else None


def _merged(view: MeshView, kind: str, subset: Subset, sources: tuple[Source, ...]) -> Rule | None:
    confs = merged_confs(view, kind, sources)
    return Rule(subset, confs[0], sources) if confs else None


@derived
def merged_confs(view: MeshView, kind: str, sources: tuple[Source, ...]) -> tuple[Any, ...]:
    """As `Placement.merge` gives them. By their sources, since most of a thousand destinations are
    spoken of by the same ones."""
    return placement_of(view, kind).merge([each.conf for each in sources])


@derived
def inbound_rules(view: MeshView, kind: str, names: Names) -> InboundRules:
    """What the policies say of an inbound that they all select."""
    entries = reversed(from_entries(view, kind, names))
    return InboundRules(
        by_client=tuple(Rule(each.subset, each.source.conf, (each.source,)) for each in entries),
        by_match=build_inbound_rules(named_policies(view, kind, names)),
    )


@derived
def combined_to_rules(view: MeshView, kind: str, names: Names) -> Combined:
    return _combine(view, kind, to_entries(view, kind, names), with_negations=False)


@derived
def combined_from_rules(view: MeshView, kind: str, names: Names) -> Combined:
    return _combine(view, kind, from_entries(view, kind, names), with_negations=True)


def _combine(
    view: MeshView, kind: str, entries: tuple[Entry, ...], *, with_negations: bool
) -> Combined:
    merge = placement_of(view, kind).merge
    try:
        return Combined(build_rules(entries, merge, with_negations=with_negations))
    except TooManyCombinations:
        return Combined(is_complete=False)


def _from_entries(policy: AnyResource) -> Iterator[Entry]:
    for index, item in enumerate(getattr(policy.spec, "from_", None) or ()):
        subset = as_subset(item.target_ref)
        if subset is not None:
            yield Entry(subset, source_of(policy, index, item.default))


def _to_entries(view: MeshView, policy: AnyResource) -> Iterator[Entry]:
    """Kuma leaves a policy with any entry on a MeshHTTPRoute out of the rules by tags as a whole;
    such entries are for resources."""
    items = getattr(policy.spec, "to", None) or ()
    if any(item.target_ref.kind is TargetRefKind.MESH_HTTP_ROUTE for item in items):
        return
    target = top_target(policy)
    if target.kind is not TargetRefKind.MESH_HTTP_ROUTE:
        for index, item in enumerate(items):
            subset = as_subset(item.target_ref)
            if subset is not None:
                yield Entry(subset, source_of(policy, index, item.default))
        return
    route = find_route(view, target.name or "")
    for subset in () if route is None else _route_subsets(view, route):
        for index, item in enumerate(items):
            yield Entry(subset, source_of(policy, index, item.default))


def _route_subsets(view: MeshView, route: AnyResource) -> Iterator[Subset]:
    """A subset for each rule of a MeshHTTPRoute: its service and the hash of its matches."""
    hashes = placement_of(view, route.kind.name).rule_hashes
    for item in getattr(route.spec, "to", None) or ():
        for rule_hash in hashes(item.default) if hashes is not None else ():
            mark = TagPredicate(RULE_HASH_TAG, rule_hash)
            if item.target_ref.kind is TargetRefKind.MESH:
                yield (mark,)
            else:
                service = item.target_ref.name or ""
                yield (TagPredicate(well_known.SERVICE_TAG, service), mark)


def source_of(policy: AnyResource, index: int, conf: Any) -> Source:
    origin = Origin(policy.kind.name, policy.mesh, policy.name, index)
    return Source(origin, conf)
