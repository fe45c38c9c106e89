"""The Subject: all that matching may look at of a proxy, and nothing else, as one value.

Proxies with equal subjects match the same policies and share everything that follows. So whatever
no policy of the mesh asks for is left out: a label, a tag, a section or a name takes part only if
some top-level target names it.
"""

from collections.abc import Iterator, Mapping

from kuma.kit.derived import derived
from kuma.kit.value import value
from kuma.plan.tags import Tags
from kuma.resolve.view import MeshView
from kuma.resources import labels as well_known
from kuma.resources.kinds.dataplane import DataplaneSpec
from kuma.resources.resource import Resource
from kuma.resources.target_ref import WHOLE_MESH, ProxyType, TargetRef, TargetRefKind

_SCOPING_LABELS = frozenset({well_known.ORIGIN, well_known.ZONE, well_known.K8S_NAMESPACE})


@value
class LookedAt:
    """What the top-level targets of a mesh ask for."""

    names: frozenset[str]
    labels: frozenset[str]
    tags: frozenset[str]
    sections: frozenset[str]
    has_tags: bool
    """Whether inbounds have any: one that was given none has that of its zone."""


@value
class InboundSubject:
    section: str
    tags: Tags


@value
class Subject:
    """`name` is the display name, if it is targeted. `inbounds` are in the Dataplane's order, which
    is how matching refers to them. `gateway_tags` None: no delegated gateway."""

    name: str
    labels: Tags
    proxy_type: ProxyType
    inbounds: tuple[InboundSubject, ...]
    gateway_tags: Tags | None

    def label(self, key: str) -> str | None:
        return dict(self.labels).get(key)


def targets(view: MeshView) -> Iterator[TargetRef]:
    """The top-level targets of all policies."""
    for placement in view.placements:
        for policy in view.policies(placement.name):
            yield getattr(policy.spec, "target_ref", None) or WHOLE_MESH


@derived
def looked_at(view: MeshView) -> LookedAt:
    names, labels, tags, sections = set[str](), set[str](), set[str](), set[str]()
    for target in targets(view):
        tags.update(key for key, _ in target.tags or ())
        if target.kind in {TargetRefKind.MESH_SERVICE, TargetRefKind.MESH_SERVICE_SUBSET}:
            tags.add(well_known.SERVICE_TAG)
        if target.kind is TargetRefKind.DATAPLANE:
            names.add(target.name or "")
            sections.add(target.section_name or "")
            labels.update(key for key, _ in target.labels or ())
    mesh = view.mesh()
    return LookedAt(
        names=frozenset(names),
        labels=frozenset(labels),
        tags=frozenset(tags),
        sections=frozenset(sections),
        has_tags=mesh is None or not mesh.spec.has_only_mesh_services,
    )


@derived
def subject_of(view: MeshView, name: str) -> Subject | None:
    """None: there is no such Dataplane."""
    dataplane = view.dataplane(name)
    return None if dataplane is None else build_subject(dataplane, looked_at(view))


def build_subject(dataplane: Resource[DataplaneSpec], asked: LookedAt) -> Subject:
    spec = dataplane.spec
    gateway = spec.networking.gateway
    name, bare = dataplane.display_name, _zone(dataplane) if asked.has_tags else {}
    return Subject(
        name=name if name in asked.names else "",
        labels=_only(dataplane.labels, asked.labels | _SCOPING_LABELS),
        proxy_type=ProxyType.SIDECAR if gateway is None else ProxyType.GATEWAY,
        inbounds=tuple(
            InboundSubject(
                section=inbound.section_name if inbound.section_name in asked.sections else "",
                tags=_only(inbound.tags or bare, asked.tags),
            )
            for inbound in spec.networking.inbound
        ),
        gateway_tags=None if gateway is None else _only(gateway.tags or bare, asked.tags),
    )


def _zone(dataplane: Resource[DataplaneSpec]) -> dict[str, str]:
    zone = dataplane.labels.get(well_known.ZONE)
    return {well_known.ZONE_TAG: zone} if zone else {}


def _only(pairs: Mapping[str, str], keys: frozenset[str]) -> Tags:
    return tuple(sorted((key, text) for key, text in pairs.items() if key in keys))
