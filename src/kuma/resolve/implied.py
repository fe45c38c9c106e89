"""The outbounds of a proxy whose application calls services by their virtual addresses.

    Reach (what the application may call) -> implied outbounds      shared by all with an equal reach

They stand in the place of `networking.outbound`. What a proxy does not reach it does not read, so a
change of that costs it nothing.
Source: reference 7; https://kuma.io/docs/2.14.x/networking/transparent-proxying
"""

from collections.abc import Iterator

from kuma.kit.derived import derived, shared
from kuma.kit.value import value
from kuma.plan.tags import Tags, as_tags
from kuma.resolve.outbounds import DeclaredOutbound
from kuma.resolve.permitted import Callers, callers_of, permitting_mesh_service, permitting_service
from kuma.resolve.target import Scope, ServiceTarget, find_resources, port_target, scope_of
from kuma.resolve.view import MeshView
from kuma.resources import labels as well_known
from kuma.resources.kinds.dataplane import DataplaneSpec
from kuma.resources.kinds.dataplane.model import ReachableBackendRef
from kuma.resources.kinds.mesh import MeshServicesMode
from kuma.resources.kinds.mesh_external_service import MESH_EXTERNAL_SERVICE
from kuma.resources.kinds.mesh_multi_zone_service import MESH_MULTI_ZONE_SERVICE
from kuma.resources.kinds.mesh_service import MESH_SERVICE
from kuma.resources.kinds.service_status import vips_of
from kuma.resources.resource import AnyResource, Resource
from kuma.resources.virtual_outbounds import Entry, EntryType

_KINDS = (MESH_SERVICE.name, MESH_EXTERNAL_SERVICE.name, MESH_MULTI_ZONE_SERVICE.name)


@value
class Backend:
    """An entry of `reachableBackends`; `port` None: all ports of the resource."""

    kind: str
    name: str
    namespace: str
    port: int | None
    labels: Tags


@value
class Reach:
    """`services` empty: all of them. `backends` None: the list was left out. `scope` is where names of
    backends stand. `callers`: who it is where only those are reached that let it call; what is listed
    is reached in any case."""

    services: tuple[str, ...] = ()
    backends: tuple[Backend, ...] | None = None
    scope: Scope = Scope()
    callers: Callers | None = None


@value
class Implied:
    """`places`: where the outbounds are. `missing`: the positions of backends that are not there."""

    outbounds: tuple[DeclaredOutbound, ...]
    places: frozenset[tuple[str, int]]
    missing: tuple[int, ...] = ()

    def beside(self, own: frozenset[tuple[str, int]]) -> tuple[DeclaredOutbound, ...]:
        """The outbounds but for those where the proxy listens for its own workload: the very same
        object, but for the rare proxy that has an inbound at an address of an outbound."""
        if own.isdisjoint(self.places):
            return self.outbounds
        return tuple(each for each in self.outbounds if (each.address, each.port) not in own)


def reach_of(view: MeshView, dataplane: Resource[DataplaneSpec]) -> Reach:
    declared = dataplane.spec.networking.transparent_proxying
    if declared is None:
        return Reach(callers=callers_of(view, dataplane))
    backends = declared.reachable_backends
    return Reach(
        services=tuple(sorted(set(declared.reachable_services))),
        backends=None if backends is None else tuple(map(_backend, backends.refs)),
        scope=Scope() if backends is None else scope_of(dataplane),
        callers=callers_of(view, dataplane),
    )


@derived
def implied_outbounds(view: MeshView, reach: Reach) -> Implied:
    """Sorted by address; of two at one address and port the resource counts."""
    mode = _mode(view)
    made: dict[tuple[str, int], DeclaredOutbound] = {}
    if mode is not MeshServicesMode.EXCLUSIVE:
        made |= {(each.address, each.port): each for each in _of_services(view, reach)}
    missing: list[int] = []
    if reach.backends is not None:
        for index, backend in enumerate(reach.backends):
            found = list(_ports_of(view, backend, reach.scope))
            for each, number, section in found:
                made |= {(o.address, o.port): o for o in _at_port(each, number, section)}
            if not found:
                missing.append(index)
    elif not reach.services and mode is not MeshServicesMode.REACHABLE_BACKENDS:
        for kind in _KINDS:
            of_kind = _of_kind(view, kind, reach.callers)
            made |= {(each.address, each.port): each for each in of_kind}
    outbounds = tuple(made[place] for place in sorted(made))
    return Implied(shared(view, outbounds), frozenset(made), tuple(missing))


def _mode(view: MeshView) -> MeshServicesMode:
    mesh = view.mesh()
    services = None if mesh is None else mesh.spec.mesh_services
    return MeshServicesMode.DISABLED if services is None else services.mode


def _of_services(view: MeshView, reach: Reach) -> Iterator[DeclaredOutbound]:
    for service in reach.services:
        yield from _service(view, service)
    for each in () if reach.services else _all_services(view):
        if reach.callers is None or permitting_service(view, each.service).lets_in(reach.callers):
            yield each


@derived
def _all_services(view: MeshView) -> tuple[DeclaredOutbound, ...]:
    return tuple(each for entry in view.virtual_outbounds() for each in _expand(view, entry))


@derived
def _service(view: MeshView, service: str) -> tuple[DeclaredOutbound, ...]:
    found = (each for entry in view.virtual_outbounds(service) for each in _expand(view, entry))
    return tuple(each for each in found if each.service == service)


def _expand(view: MeshView, entry: Entry) -> Iterator[DeclaredOutbound]:
    """A service is at its own port, and at that of all services; so is the host of an
    ExternalService, unless it is an address."""
    if not entry.address:
        return
    first, common = entry.ports[0], view.service_vip_port
    ports = entry.ports if entry.type is not EntryType.SERVICE else (first,)
    held = {each.port: each.tags for each in ports if each.port}
    if entry.type is EntryType.SERVICE or (
        entry.type is EntryType.HOST and entry.name != entry.address
    ):
        held.setdefault(common, first.tags)
    for port, tags in held.items():
        yield _by_tags(entry.address, port, tags)


def _by_tags(address: str, port: int, tags: Tags) -> DeclaredOutbound:
    service = dict(tags).get(well_known.SERVICE_TAG, "")
    subset = as_tags({key: text for key, text in tags if key != well_known.SERVICE_TAG})
    return DeclaredOutbound(address, port, service, tags, ServiceTarget(service, subset))


@derived
def _of_kind(view: MeshView, kind: str, callers: Callers | None) -> tuple[DeclaredOutbound, ...]:
    return tuple(
        made
        for each in view.services(kind)
        if _lets_in(view, kind, each.name, callers)
        for made in _of_resource(view, kind, each.name)
    )


def _lets_in(view: MeshView, kind: str, name: str, callers: Callers | None) -> bool:
    if callers is None or kind != MESH_SERVICE.name:
        return True
    return permitting_mesh_service(view, name).lets_in(callers)


@derived
def _of_resource(view: MeshView, kind: str, name: str) -> tuple[DeclaredOutbound, ...]:
    found = view.service(kind, name)
    return (
        () if found is None else tuple(o for port in _ports(found) for o in _at_port(found, *port))
    )


def _ports_of(
    view: MeshView, backend: Backend, scope: Scope
) -> Iterator[tuple[AnyResource, int, str]]:
    """Of all resources with the labels, or of the one with the name. A MeshExternalService has one
    port, and any that is wanted means it.

    # Differs from Kuma: of several resources with the labels it takes the ports of one, and all ports
    # where the one that is wanted is not there.
    """
    where = Scope(scope.zone, backend.namespace or scope.namespace)
    only = None if backend.kind == MESH_EXTERNAL_SERVICE.name else backend.port
    for each in find_resources(view, backend.kind, backend.name, backend.labels, where):
        for number, section in _ports(each):
            if only in {None, number}:
                yield each, number, section


def _ports(resource: AnyResource) -> tuple[tuple[int, str], ...]:
    return resource.kind.ports(resource.spec) if resource.kind.ports is not None else ()


def _at_port(resource: AnyResource, number: int, section: str) -> Iterator[DeclaredOutbound]:
    target = port_target(resource, number, section)
    for address in vips_of(resource):
        yield DeclaredOutbound(address, number, target.service, (), target)


def _backend(ref: ReachableBackendRef) -> Backend:
    return Backend(ref.kind, ref.name, ref.namespace, ref.port, as_tags(ref.labels))
