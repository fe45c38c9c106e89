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
    backends stand."""

    services: tuple[str, ...] = ()
    backends: tuple[Backend, ...] | None = None
    scope: Scope = Scope()


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


def reach_of(dataplane: Resource[DataplaneSpec]) -> Reach:
    declared = dataplane.spec.networking.transparent_proxying
    if declared is None:
        return Reach()
    backends = declared.reachable_backends
    return Reach(
        services=tuple(sorted(set(declared.reachable_services))),
        backends=None if backends is None else tuple(map(_backend, backends.refs)),
        scope=Scope() if backends is None else scope_of(dataplane),
    )


@derived
def implied_outbounds(view: MeshView, reach: Reach) -> Implied:
    """Sorted by address; of two at one address and port the resource counts."""
    mode = _mode(view)
    made: dict[tuple[str, int], DeclaredOutbound] = {}
    if mode is not MeshServicesMode.EXCLUSIVE:
        made |= {(each.address, each.port): each for each in _of_services(view, reach.services)}
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
            made |= {(each.address, each.port): each for each in _of_kind(view, kind)}
    outbounds = tuple(made[place] for place in sorted(made))
    return Implied(shared(view, outbounds), frozenset(made), tuple(missing))


def _mode(view: MeshView) -> MeshServicesMode:
    mesh = view.mesh()
    services = None if mesh is None else mesh.spec.mesh_services
    return MeshServicesMode.DISABLED if services is None else services.mode


def _of_services(view: MeshView, services: tuple[str, ...]) -> Iterator[DeclaredOutbound]:
    if not services:
        yield from _all_services(view)
    for service in services:
        yield from _service(view, service)


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
def _of_kind(view: MeshView, kind: str) -> tuple[DeclaredOutbound, ...]:
    return tuple(
        made for each in view.services(kind) for made in _of_resource(view, kind, each.name)
    )


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
