"""Whether a write may happen, and as what: pure decisions between a document and the store.

    codec -> admit(new, existing) -> writer -> store

`admit` fills in defaults, labels and tags and checks everything that depends on more than the document
itself: the mesh, what was there before, other resources. `check_delete` is its counterpart.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from kuma.resources import labels as well_known
from kuma.resources.computed_labels import (
    Place,
    check_immutable_labels,
    check_sent_labels,
    compute_labels,
)
from kuma.resources.errors import InvalidResource, MeshNotFound, Refused
from kuma.resources.kind import Kind
from kuma.resources.kinds.dataplane import DATAPLANE, DataplaneSpec
from kuma.resources.kinds.dataplane_insight import DATAPLANE_INSIGHT
from kuma.resources.kinds.mesh import MESH, MeshSpec
from kuma.resources.kinds.mesh.ca_backends import used_secrets
from kuma.resources.kinds.secret import SECRET
from kuma.resources.kinds.zone import ZONE
from kuma.resources.kinds.zone_insight import ZONE_INSIGHT, ZoneInsightSpec
from kuma.resources.meta import ResourceKey
from kuma.resources.resource import AnyResource, Resource
from kuma.resources.spec import SpecModel
from kuma.resources.violation import Violation

S = TypeVar("S", bound=SpecModel)

_MAX_MESH_NAME = 63
_ANY_VALUE = "*"


class Finder(Protocol):
    """What admission sees of other resources, maybe from a thread; a Replica is one."""

    def find(self, key: ResourceKey) -> AnyResource | None: ...


class View(Finder, Protocol):
    """What deletion sees."""

    def list(self, kind: str | Kind[Any], mesh: str | None = None) -> list[AnyResource]: ...


Check = Callable[[AnyResource, Finder], Iterable[Violation]]
"""A further rule on resources of one kind, from a part that `resources` must not know."""


def admit(
    new: AnyResource,
    existing: AnyResource | None,
    *,
    mesh: Resource[MeshSpec] | None,
    view: Finder,
    place: Place,
    checks: Iterable[Check] = (),
) -> AnyResource:
    """`new` as it is to be stored. `mesh` is that of a mesh-scoped resource. `checks` are asked about
    what is right otherwise.

    Raises InvalidResource with every violation, and MeshNotFound.
    """
    resource = replace(new, spec=new.kind.default(new.spec))
    rules = resource.kind.validate(resource)
    if not rules and new.kind.is_mesh_scoped and mesh is None:
        raise MeshNotFound(new.mesh)
    labels = _labels(resource, place)
    found = [*check_sent_labels(resource, place), *rules]
    if existing is not None:
        found += check_immutable_labels(_labels(existing, place), labels)
    admitted = _tag_zone(resource, place).with_labels(labels)
    found += _check_kind(admitted, existing, mesh)
    if not found:
        found += (violation for check in checks for violation in check(admitted, view))
    if found:
        raise InvalidResource(tuple(dict.fromkeys(found)))
    return admitted


def check_delete(resource: AnyResource, view: View) -> None:
    """Raises Refused while something depends on `resource`."""
    rule = _DELETE_RULES.get(resource.kind.name)
    if rule is not None and (found := tuple(rule(resource, view))):
        raise Refused(found)


def owner_of(resource: AnyResource) -> ResourceKey | None:
    """The resource with which `resource` is deleted."""
    if resource.kind is DATAPLANE_INSIGHT:
        return ResourceKey(DATAPLANE.name, resource.mesh, resource.name)
    if resource.kind is ZONE_INSIGHT:
        return ResourceKey(ZONE.name, "", resource.name)
    return ResourceKey(MESH.name, "", resource.mesh) if resource.mesh else None


def spec_as(model: type[S], resource: AnyResource | None) -> S | None:
    """The spec, if it is of that type."""
    spec = None if resource is None else resource.spec
    return spec if isinstance(spec, model) else None


def _labels(resource: AnyResource, place: Place) -> dict[str, str]:
    return compute_labels(resource.kind, resource.mesh, resource.spec, resource.labels, place)


def _tag_zone(resource: AnyResource, place: Place) -> AnyResource:
    """Inbounds and gateway of a Dataplane say in which zone they are.

    Differs from Kuma: without any tags they stay without, so that what is read can be written back.
    """
    spec = spec_as(DataplaneSpec, resource)
    if spec is None or not place.is_zone:
        return resource
    zone = {well_known.ZONE_TAG: place.zone}
    networking, gateway = spec.networking, spec.networking.gateway
    changed = networking.model_copy(
        update={
            "inbound": tuple(_with_tags(inbound, zone) for inbound in networking.inbound),
            "gateway": None if gateway is None else _with_tags(gateway, zone),
        }
    )
    return replace(resource, spec=spec.model_copy(update={"networking": changed}))


def _with_tags(tagged: Any, added: Mapping[str, str]) -> Any:
    if not tagged.tags:
        return tagged
    return tagged.model_copy(update={"tags": dict(sorted({**tagged.tags, **added}.items()))})


def _check_kind(
    resource: AnyResource, existing: AnyResource | None, mesh: Resource[MeshSpec] | None
) -> Iterator[Violation]:
    if (spec := spec_as(MeshSpec, resource)) is not None:
        if existing is None and len(resource.name) > _MAX_MESH_NAME:
            yield Violation("name", f"cannot be longer than {_MAX_MESH_NAME} characters")
        yield from _check_authority(spec_as(MeshSpec, existing), spec)
    if (dataplane := spec_as(DataplaneSpec, resource)) is not None and mesh is not None:
        yield from _check_membership(dataplane, mesh)


def _check_authority(old: MeshSpec | None, new: MeshSpec) -> Iterator[Violation]:
    """The authority in force cannot be exchanged for another: certificates of the one are worth
    nothing to proxies that trust the other.

    Differs from Kuma: neither by giving the same name to an authority of another type.
    """
    before = old.enabled_backend if old else None
    after = new.enabled_backend
    if before is None or after is None:
        return
    message = (
        "Changing CA when mTLS is enabled is forbidden. Disable mTLS first and then change the CA"
    )
    if before.name != after.name:
        yield Violation("mtls.enabledBackend", message)
    elif before.type != after.type:
        index = new.backends.index(after)
        yield Violation(f"mtls.backends[{index}].type", message)


def _check_membership(spec: DataplaneSpec, mesh: Resource[MeshSpec]) -> Iterator[Violation]:
    """Each set of tags must match a requirement of the Mesh, if it has any, and no restriction.

    Differs from Kuma: it answers 500 and keeps the reason to itself.
    """
    constraints = mesh.spec.constraints
    if constraints is None or constraints.dataplane_proxy is None:
        return
    rules = constraints.dataplane_proxy
    for field, tags in _tag_places(spec):
        cannot = (
            f'dataplane cannot be a member of mesh "{mesh.name}" because its tags "{_show(tags)}"'
        )
        if rules.requirements and not any(_matches(each.tags, tags) for each in rules.requirements):
            message = f"{cannot} does not fulfill any requirements defined on the Mesh"
            yield Violation(field, message)
        for restriction in rules.restrictions:
            if _matches(restriction.tags, tags):
                restricted = _show(restriction.tags)
                message = f'{cannot} matches restricted tags "{restricted}" defined on the Mesh'
                yield Violation(field, message)


def _tag_places(spec: DataplaneSpec) -> Iterator[tuple[str, Mapping[str, str]]]:
    for index, inbound in enumerate(spec.networking.inbound):
        yield f"networking.inbound[{index}].tags", inbound.tags
    if spec.networking.gateway is not None:
        yield "networking.gateway.tags", spec.networking.gateway.tags


def _matches(rule: Mapping[str, str], tags: Mapping[str, str]) -> bool:
    return all(
        bool(tags.get(key)) if wanted == _ANY_VALUE else tags.get(key, "") == wanted
        for key, wanted in rule.items()
    )


def _show(tags: Mapping[str, str]) -> str:
    return " ".join(f"{key}={tag}" for key, tag in sorted(tags.items()))


def _mesh_in_use(mesh: AnyResource, view: View) -> Iterator[Violation]:
    if view.list(DATAPLANE, mesh.name):
        message = "unable to delete mesh, there are still some dataplanes attached"
        yield Violation("mesh", message)


def _secret_in_use(secret: AnyResource, view: View) -> Iterator[Violation]:
    mesh = spec_as(MeshSpec, view.find(ResourceKey(MESH.name, "", secret.mesh)))
    for backend in mesh.backends if mesh else ():
        if secret.name in used_secrets(secret.mesh, backend):
            yield Violation(
                "name",
                f'The secret "{secret.name}" that you are trying to remove is currently in use in '
                f'Mesh "{secret.mesh}" in mTLS backend "{backend.name}". Please remove the '
                f'reference from the "{backend.name}" backend before removing the secret.',
            )


def _zone_in_use(zone: AnyResource, view: View) -> Iterator[Violation]:
    insight = spec_as(ZoneInsightSpec, view.find(ResourceKey(ZONE_INSIGHT.name, "", zone.name)))
    if insight is not None and insight.is_online:
        message = "unable to delete Zone, Zone CP is still connected, please shut it down first"
        yield Violation("zone", message)


_DELETE_RULES: Mapping[str, Callable[[AnyResource, View], Iterator[Violation]]] = {
    MESH.name: _mesh_in_use,
    SECRET.name: _secret_in_use,
    ZONE.name: _zone_in_use,
}
