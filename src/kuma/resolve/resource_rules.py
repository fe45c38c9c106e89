"""Rules by resource: what `to` entries say of a resource itself, rather than of tags.

Entries are merged for each resource that any of them names; one on the Mesh is part of all.
Source: reference 14.6, as far as the kinds exist.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cmp_to_key

from kuma.kit.derived import derived
from kuma.kit.value import value
from kuma.plan.origin import Origin
from kuma.plan.proxy import ResourcePort
from kuma.plan.tags import Tags, as_tags
from kuma.resolve.order import compare_attributes, compare_names, top_target, weakest_first
from kuma.resolve.placement import Rule, Source
from kuma.resolve.rules import Names, merged_confs, named_policies, source_of
from kuma.resolve.target import Scope, find_resources, scope_of
from kuma.resolve.view import MeshView
from kuma.resources import labels as well_known
from kuma.resources.kinds.mesh import MESH
from kuma.resources.meta import ResourceKey
from kuma.resources.resource import AnyResource
from kuma.resources.spec import SpecModel
from kuma.resources.target_ref import TargetRef, TargetRefKind

_ROUTE = TargetRefKind.MESH_HTTP_ROUTE.value
_SERVICES = {
    TargetRefKind.MESH_SERVICE,
    TargetRefKind.MESH_EXTERNAL_SERVICE,
    TargetRefKind.MESH_MULTI_ZONE_SERVICE,
}
_WITH_SECTIONS = {TargetRefKind.MESH_SERVICE, TargetRefKind.MESH_MULTI_ZONE_SERVICE}
_KUBERNETES_TAG = re.compile(r"(?P<name>[^_]*)_(?P<namespace>[^_]*)_svc(_(?P<port>\d{1,9}))?")


@value
class Section:
    """A resource, or one section of it: a port of a service, by its name."""

    resource: ResourceKey
    name: str = ""


@value
class ResourceRule:
    section: Section
    confs: tuple[SpecModel, ...]
    sources: tuple[Source, ...]

    @property
    def origins(self) -> tuple[Origin, ...]:
        return tuple(source.origin for source in self.sources)

    def as_rule(self) -> Rule:
        """In the form of a rule by tags, for what makes routes of either."""
        return Rule((), self.confs[0], self.sources)


@value
class _Entry:
    section: Section
    source: Source


@derived
def resource_rules(view: MeshView, kind: str, names: Names) -> Mapping[Section, ResourceRule]:
    """Sorted by the name of the resource, then by its kind and section. Without those whose confs do
    not go together: then holds what is said of more."""
    entries = _entries(view, kind, names)
    positions: defaultdict[ResourceKey, list[int]] = defaultdict(list)
    for position, entry in enumerate(entries):
        positions[entry.section.resource].append(position)
    sections = sorted(
        {each.section for each in entries},
        key=lambda each: (each.resource.name, each.resource.kind, each.name),
    )
    rules: dict[Section, ResourceRule] = {}
    for section in sections:
        found = sorted({*positions[section.resource], *positions[_mesh_key(view)]})
        rule = _rule(view, kind, section, [entries[position] for position in found])
        if rule.confs:
            rules[section] = rule
    return rules


@derived
def rule_of_port(
    view: MeshView, kind: str, names: Names, port: ResourcePort
) -> ResourceRule | None:
    """What holds for a port of a service: the rule on the port, else on its service, else on the
    mesh."""
    rules = resource_rules(view, kind, names)
    service = ResourceKey(port.kind, view.mesh_name, port.name)
    for section in (Section(service, port.section), Section(service), Section(_mesh_key(view))):
        if (rule := rules.get(section)) is not None:
            return rule
    return None


@derived
def rule_of_route(view: MeshView, kind: str, names: Names, route: str) -> ResourceRule | None:
    """What an entry on the MeshHTTPRoute `route` itself says; it then holds alone."""
    return resource_rules(view, kind, names).get(Section(_route_key(view, route)))


@derived
def entries_on_route(view: MeshView, kind: str, names: Names, route: str) -> tuple[Source, ...]:
    """What the policies say of the MeshHTTPRoute `route` by its name, weakest first."""
    return tuple(
        each.source
        for each in _entries(view, kind, names)
        if each.section.resource == _route_key(view, route)
    )


def _rule(view: MeshView, kind: str, section: Section, entries: Iterable[_Entry]) -> ResourceRule:
    sources = tuple(each.source for each in entries if _covers(each.section, section))
    return ResourceRule(section, merged_confs(view, kind, sources), sources)


def _covers(wider: Section, narrower: Section) -> bool:
    """The mesh covers everything, a service all of its ports."""
    if wider.resource.kind == MESH.name:
        return True
    return wider.resource == narrower.resource and wider.name in {"", narrower.name}


def _route_key(view: MeshView, name: str) -> ResourceKey:
    return ResourceKey(_ROUTE, view.mesh_name, name)


def _mesh_key(view: MeshView) -> ResourceKey:
    return ResourceKey(MESH.name, "", view.mesh_name)


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
        _Entry(section, source_of(policy, index, getattr(item, "default", None)))
        for policy, index, item in sorted(items, key=cmp_to_key(compare))
        for section in _resolve(view, _target(item), scope_of(policy))
    )


def _target(item: SpecModel) -> TargetRef:
    target: TargetRef = item.target_ref  # type: ignore[attr-defined] # every entry of `to` has it
    return target


def _compare_targets(one: TargetRef, other: TargetRef) -> int:
    """# Differs from Kuma: a port is narrower than its service for MeshMultiZoneServices, too."""
    if one.kind is other.kind and one.kind in _WITH_SECTIONS:
        return bool(one.section_name) - bool(other.section_name)
    return one.kind.rank - other.kind.rank


def _resolve(view: MeshView, target: TargetRef, scope: Scope) -> Iterator[Section]:
    if target.kind is TargetRefKind.MESH:
        if view.mesh() is not None:
            yield Section(_mesh_key(view))
    elif target.kind is TargetRefKind.MESH_HTTP_ROUTE:
        yield from (Section(key) for key in _routes(view, target, scope))
    elif target.kind in _SERVICES:
        yield from _services(view, target, scope)


def _services(view: MeshView, target: TargetRef, scope: Scope) -> Iterator[Section]:
    """A name such as `api_shop_svc_80`, as services of Kubernetes have by tags, means the service
    `api` of the namespace `shop`, and its port."""
    scope = replace(scope, namespace=target.namespace or scope.namespace)
    labels, by_tag = target.labels or (), _parse_kubernetes_tag(target)
    if by_tag is not None:
        labels = by_tag.labels
    for found in find_resources(view, target.kind.value, target.name or "", labels, scope):
        if not target.section_name and (by_tag is None or not by_tag.port):
            yield Section(found.key)
            continue
        for port in getattr(found.spec, "ports", None) or ():
            wanted = (
                port.port == by_tag.port if by_tag else port.section_name == target.section_name
            )
            if wanted:
                yield Section(found.key, port.section_name)
                break


@value
class _KubernetesTag:
    labels: Tags
    port: int


def _parse_kubernetes_tag(target: TargetRef) -> _KubernetesTag | None:
    if target.kind is not TargetRefKind.MESH_SERVICE or target.section_name:
        return None
    found = _KUBERNETES_TAG.fullmatch(target.name or "")
    if found is None:
        return None
    labels = {well_known.K8S_NAMESPACE: found["namespace"], well_known.DISPLAY_NAME: found["name"]}
    return _KubernetesTag(as_tags(labels), int(found["port"] or 0))


def _routes(view: MeshView, target: TargetRef, scope: Scope) -> Iterator[ResourceKey]:
    """A name means the route of the same zone and namespace, as with services."""
    wanted = target.labels or (
        (well_known.DISPLAY_NAME, target.name or ""),
        (well_known.ZONE, scope.zone),
        (well_known.K8S_NAMESPACE, target.namespace or scope.namespace),
    )

    def is_wanted(route: AnyResource) -> bool:
        labels = {well_known.DISPLAY_NAME: route.display_name, **route.labels}
        return all(labels.get(key, "") == text for key, text in wanted)

    for each in weakest_first(filter(is_wanted, view.policies(_ROUTE))):
        yield each.key
