"""Rules by resource: what `to` entries say of a resource itself, rather than of tags.

Entries are merged for each resource that any of them names; one on the Mesh is part of all.
Source: reference 14.6, as far as the kinds exist.
"""

from collections.abc import Iterator
from functools import cmp_to_key

from kuma.kit.derived import derived
from kuma.kit.value import value
from kuma.plan.origin import Origin
from kuma.resolve.match import find_route
from kuma.resolve.merge import merge_groups
from kuma.resolve.order import compare_attributes, compare_names, ordered_policies, top_target
from kuma.resolve.placement import Source
from kuma.resolve.rules import Names, named_policies, source_of
from kuma.resolve.view import MeshView
from kuma.resources.kinds.mesh import MESH
from kuma.resources.meta import ResourceKey
from kuma.resources.resource import AnyResource
from kuma.resources.spec import SpecModel
from kuma.resources.target_ref import TargetRef, TargetRefKind

_ROUTE = TargetRefKind.MESH_HTTP_ROUTE.value


@value
class ResourceRule:
    resource: ResourceKey
    confs: tuple[SpecModel, ...]
    origins: tuple[Origin, ...]


@value
class _Entry:
    resource: ResourceKey
    source: Source


@derived
def resource_rules(view: MeshView, kind: str, names: Names) -> tuple[ResourceRule, ...]:
    """Sorted by the name of the resource, then by its kind."""
    entries = _entries(view, kind, names)
    resources = sorted({each.resource for each in entries}, key=lambda key: (key.name, key.kind))
    return tuple(_rule(resource, entries) for resource in resources)


@derived
def entries_on_route(view: MeshView, kind: str, names: Names, route: str) -> tuple[Source, ...]:
    """What the policies say of the MeshHTTPRoute `route` by its name, weakest first."""
    return tuple(
        each.source
        for each in _entries(view, kind, names)
        if each.resource.kind == _ROUTE and each.resource.name == route
    )


def _rule(resource: ResourceKey, entries: tuple[_Entry, ...]) -> ResourceRule:
    sources = [
        each.source for each in entries if each.resource == resource or _is_mesh(each.resource)
    ]
    confs = merge_groups([source.conf for source in sources])
    return ResourceRule(resource, confs, tuple(source.origin for source in sources))


def _is_mesh(resource: ResourceKey) -> bool:
    return resource.kind == MESH.name


@derived
def _entries(view: MeshView, kind: str, names: Names) -> tuple[_Entry, ...]:
    """In order of rising priority. Policies on a route are about that route's rules, not here."""
    items = [
        (policy, index, item)
        for policy in named_policies(view, kind, names)
        if top_target(policy).kind is not TargetRefKind.MESH_HTTP_ROUTE
        for index, item in enumerate(getattr(policy.spec, "to", None) or ())
    ]

    def compare(
        one: tuple[AnyResource, int, SpecModel], other: tuple[AnyResource, int, SpecModel]
    ) -> int:
        return (
            compare_attributes(one[0], other[0])
            or _compare_targets(_target(one[2]), _target(other[2]))
            or compare_names(one[0], other[0])
        )

    return tuple(
        _Entry(resource, source_of(policy, index, getattr(item, "default", None)))
        for policy, index, item in sorted(items, key=cmp_to_key(compare))
        for resource in _resolve(view, _target(item))
    )


def _target(item: SpecModel) -> TargetRef:
    target: TargetRef = item.target_ref  # type: ignore[attr-defined] # every entry of `to` has it
    return target


def _compare_targets(one: TargetRef, other: TargetRef) -> int:
    if one.kind is other.kind is TargetRefKind.MESH_SERVICE:
        return bool(one.section_name) - bool(other.section_name)
    return one.kind.rank - other.kind.rank


def _resolve(view: MeshView, target: TargetRef) -> Iterator[ResourceKey]:
    if target.kind is TargetRefKind.MESH:
        if view.mesh() is not None:
            yield ResourceKey(MESH.name, "", view.mesh_name)
    elif target.kind is TargetRefKind.MESH_HTTP_ROUTE:
        yield from _routes(view, target)


def _routes(view: MeshView, target: TargetRef) -> Iterator[ResourceKey]:
    if not target.labels:
        route = find_route(view, target.name or "")
        if route is not None:
            yield route.key
        return
    for each in ordered_policies(view, _ROUTE):
        if all(each.labels.get(key) == text for key, text in target.labels):
            yield each.key
