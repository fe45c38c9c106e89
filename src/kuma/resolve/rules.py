"""The rules that a set of policies of one kind adds up to: by tags for `to` and `from`, by match.

Keyed by the policies' names, not by the proxy: proxies that match the same policies share them.
"""

from collections.abc import Iterator
from typing import Any

from kuma.kit.derived import derived
from kuma.kit.value import value
from kuma.plan.origin import Origin
from kuma.plan.proxy import Diagnostic
from kuma.resolve.inbound_rules import build_inbound_rules
from kuma.resolve.match import find_route
from kuma.resolve.order import ordered_policies, top_target
from kuma.resolve.placement import InboundRules, Placement, Rule, Source, Subset, TagPredicate
from kuma.resolve.subsets import Entry, TooManyCombinations, as_subset, build_rules, find_rule
from kuma.resolve.view import MeshView
from kuma.resources import labels as well_known
from kuma.resources.resource import AnyResource
from kuma.resources.target_ref import TargetRefKind

RULE_HASH_TAG = "__rule-matches-hash__"
"""Stands for the route that a destination is reached over, beside its tags."""

Names = tuple[str, ...]


@value
class ToRules:
    by_tags: tuple[Rule, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


@value
class FromRules:
    rules: InboundRules = InboundRules()
    diagnostics: tuple[Diagnostic, ...] = ()


def placement_of(view: MeshView, kind: str) -> Placement:
    return next(each for each in view.placements if each.name == kind)


def named_policies(view: MeshView, kind: str, names: Names) -> tuple[AnyResource, ...]:
    """The policies with these names, weakest first."""
    wanted = frozenset(names)
    return tuple(each for each in ordered_policies(view, kind) if each.name in wanted)


@derived
def to_rules(view: MeshView, kind: str, names: Names) -> ToRules:
    policies = named_policies(view, kind, names)
    entries = [entry for policy in policies for entry in _to_entries(view, policy)]
    try:
        return ToRules(build_rules(entries, with_negations=False))
    except TooManyCombinations:
        return ToRules((), tuple(_too_many(policy, "spec.to") for policy in policies))


@derived
def from_rules(view: MeshView, kind: str, names: Names) -> FromRules:
    """What the policies say of an inbound that they all select."""
    policies = named_policies(view, kind, names)
    by_match = build_inbound_rules(policies)
    entries = [entry for policy in policies for entry in _from_entries(policy)]
    try:
        return FromRules(InboundRules(build_rules(entries, with_negations=True), by_match))
    except TooManyCombinations:
        found = tuple(_too_many(policy, "spec.from") for policy in policies)
        return FromRules(InboundRules((), by_match), found)


@derived
def rule_for(
    view: MeshView, kind: str, names: Names, service: str, rule_hash: str = ""
) -> Rule | None:
    """The rule for a destination, or for one route to it. None: no policy speaks of it."""
    element = {well_known.SERVICE_TAG: service}
    if rule_hash:
        element[RULE_HASH_TAG] = rule_hash
    return find_rule(to_rules(view, kind, names).by_tags, element)


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


def _too_many(policy: AnyResource, path: str) -> Diagnostic:
    origin = Origin(policy.kind.name, policy.mesh, policy.name)
    text = "the policies of this kind combine too many different tags; none of them is applied"
    return Diagnostic(origin, path, text)
