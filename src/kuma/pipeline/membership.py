"""Which Dataplanes each MeshService selects, kept current change by change.

A Dataplane is tried only with the MeshServices that ask for one of its services, and with those
that do not ask for a service at all. One for the engine's inputs, one for the leader's upkeep.
"""

from collections import defaultdict
from collections.abc import Iterable

from kuma.resolve.view import Member, find_member
from kuma.resources import labels as well_known
from kuma.resources.kinds.dataplane import DATAPLANE, DataplaneSpec, Inbound
from kuma.resources.kinds.mesh_service import MeshServiceSpec, Selector
from kuma.resources.meta import ResourceKey
from kuma.resources.resource import Resource
from kuma.resources.store import Change

Place = tuple[str, str]
"""(mesh, name)"""

_NO_SERVICE = ""


class Membership:
    def __init__(self) -> None:
        self._dataplanes: dict[str, dict[str, Resource[DataplaneSpec]]] = defaultdict(dict)
        self._selectors: dict[Place, Selector] = {}
        self._asking_for: dict[Place, set[str]] = defaultdict(set)
        self._members: dict[Place, dict[str, Member]] = {}
        self._services_of: dict[Place, set[str]] = defaultdict(set)

    def changed(self, change: Change) -> set[Place]:
        """The MeshServices whose members changed. `change` is of a Dataplane or a MeshService."""
        key, resource = change.key, change.resource
        if key.kind == DATAPLANE.name:
            found = resource if resource is not None else None
            spec = found.spec if found is not None else None
            known = found if isinstance(spec, DataplaneSpec) else None
            return self._dataplane_changed(key, known)  # type: ignore[arg-type] # its spec says so
        spec = resource.spec if resource is not None else None
        return self._service_changed(key, spec if isinstance(spec, MeshServiceSpec) else None)

    def members_of(self, mesh: str, mesh_service: str) -> tuple[Member, ...]:
        """Sorted by name."""
        held = self._members.get((mesh, mesh_service), {})
        return tuple(held[name] for name in sorted(held))

    def services_of(self, mesh: str, dataplane: str) -> frozenset[str]:
        """The MeshServices that select a Dataplane."""
        return frozenset(self._services_of.get((mesh, dataplane), ()))

    def _dataplane_changed(
        self, key: ResourceKey, dataplane: Resource[DataplaneSpec] | None
    ) -> set[Place]:
        held = self._dataplanes[key.mesh]
        if dataplane is None:
            held.pop(key.name, None)
        else:
            held[key.name] = dataplane
        names = set(self._services_of.get((key.mesh, key.name), ()))
        names |= self._asking_for.get((key.mesh, _NO_SERVICE), set())
        for service in {each.service for each in _inbounds(dataplane)}:
            names |= self._asking_for.get((key.mesh, service), set())
        return {
            (key.mesh, name) for name in names if self._match((key.mesh, name), key.name, dataplane)
        }

    def _service_changed(self, key: ResourceKey, spec: MeshServiceSpec | None) -> set[Place]:
        place = (key.mesh, key.name)
        before, now = self._selectors.get(place), spec.selector if spec is not None else None
        if before == now:
            return set()
        if before is not None:
            self._asking_for[key.mesh, _service_in(before)].discard(key.name)
        for name in tuple(self._members.pop(place, ())):
            self._services_of[key.mesh, name].discard(key.name)
        if now is None:
            del self._selectors[place]
            return {place}
        self._selectors[place] = now
        self._asking_for[key.mesh, _service_in(now)].add(key.name)
        for name, dataplane in self._dataplanes[key.mesh].items():
            self._match(place, name, dataplane)
        return {place}

    def _match(self, place: Place, name: str, dataplane: Resource[DataplaneSpec] | None) -> bool:
        """Whether that changed anything."""
        selector = self._selectors.get(place)
        if selector is None:
            return False
        member = None if dataplane is None else find_member(selector, dataplane)
        held = self._members.setdefault(place, {})
        if held.get(name) == member:
            return False
        mesh, mesh_service = place
        if member is None:
            del held[name]
            self._services_of[mesh, name].discard(mesh_service)
        else:
            held[name] = member
            self._services_of[mesh, name].add(mesh_service)
        return True


def _inbounds(dataplane: Resource[DataplaneSpec] | None) -> Iterable[Inbound]:
    return () if dataplane is None else dataplane.spec.networking.inbound


def _service_in(selector: Selector) -> str:
    """The service that a selector asks for; none: it may select any Dataplane."""
    return dict(selector.dataplane_tags or ()).get(well_known.SERVICE_TAG, _NO_SERVICE)
