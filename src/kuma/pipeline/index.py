"""Changes of the replica -> inputs of the engine, indexed the way resolution asks for them.

A Dataplane touches the services that it serves, before or now, and no others. What no query ever
reads costs a dictionary entry.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kuma.kit.incremental import Engine
from kuma.pipeline.held import HeldDataplanes
from kuma.pipeline.matching import Matching
from kuma.pipeline.membership import Membership
from kuma.pipeline.view import (
    bare_input,
    external_input,
    matched_input,
    members_input,
    of_kind_input,
    service_input,
    service_names_input,
    tls_ready_input,
    virtual_input,
    virtual_of_input,
)
from kuma.resolve.view import ServiceInbound, bare_inbounds_of, index_inbounds, sort_inbounds
from kuma.resources import labels as well_known
from kuma.resources.kinds.config import CONFIG
from kuma.resources.kinds.dataplane import DATAPLANE, DataplaneSpec
from kuma.resources.kinds.dataplane_insight import DATAPLANE_INSIGHT, DataplaneInsightSpec
from kuma.resources.kinds.external_service import EXTERNAL_SERVICE, ExternalServiceSpec
from kuma.resources.kinds.mesh import MESH, MeshSpec
from kuma.resources.kinds.mesh_external_service import MESH_EXTERNAL_SERVICE
from kuma.resources.kinds.mesh_identity import MESH_IDENTITY
from kuma.resources.kinds.mesh_multi_zone_service import MESH_MULTI_ZONE_SERVICE
from kuma.resources.kinds.mesh_open_telemetry_backend import MESH_OPEN_TELEMETRY_BACKEND
from kuma.resources.kinds.mesh_service import MESH_SERVICE
from kuma.resources.kinds.mesh_trust import MESH_TRUST
from kuma.resources.kinds.secret import SECRET
from kuma.resources.meta import ResourceKey
from kuma.resources.resource import AnyResource, Resource
from kuma.resources.store import Change
from kuma.resources.virtual_outbounds import Entry, entries_of, mesh_of_config

Service = tuple[str, str]
"""(mesh, service)"""

_IDENTITY = f"kri_{MESH_IDENTITY.short}_"
_SERVICES = frozenset({MESH_SERVICE.name, MESH_EXTERNAL_SERVICE.name, MESH_MULTI_ZONE_SERVICE.name})
_BY_KIND = frozenset({MESH_OPEN_TELEMETRY_BACKEND.name, MESH_IDENTITY.name, MESH_TRUST.name})
_WITH_MATCHES = frozenset({MESH_SERVICE.name, MESH_MULTI_ZONE_SERVICE.name})
_WITH_MEMBERS = frozenset({DATAPLANE.name, MESH_SERVICE.name})


class Index:
    """Subscribe `changed` to the replica. `policy_kinds` are indexed by mesh as a whole."""

    held: HeldDataplanes

    def __init__(self, engine: Engine, policy_kinds: Iterable[str]) -> None:
        self._engine = engine
        self.held = HeldDataplanes(engine)
        self._policy_kinds = frozenset(policy_kinds) | _BY_KIND
        self._policies: dict[tuple[str, str], dict[str, AnyResource]] = defaultdict(dict)
        self._inbounds: dict[Service, dict[str, list[ServiceInbound]]] = defaultdict(dict)
        self._services_of: dict[tuple[str, str], set[str]] = {}
        self._names: dict[str, set[str]] = defaultdict(set)
        self._bare: dict[str, dict[str, tuple[ServiceInbound, ...]]] = defaultdict(dict)
        self._external: dict[Service, dict[str, AnyResource]] = defaultdict(dict)
        self._external_of: dict[tuple[str, str], str] = {}
        self._membership = Membership()
        self._matching = Matching()
        self._readiness = _Readiness(engine)
        self._virtual = _Virtual(engine)

    def changed(self, changes: Sequence[Change]) -> None:
        services: set[Service] = set()
        kinds: set[tuple[str, str]] = set()
        external: set[Service] = set()
        members: set[Service] = set()
        matches: set[Service] = set()
        for change in changes:
            kind = change.key.kind
            if kind in _WITH_MEMBERS:
                members |= self._membership.changed(change)
            if kind in _WITH_MATCHES:
                matches |= self._matching.changed(change)
            if kind == DATAPLANE.name:
                services |= self._index_dataplane(change.key, change.resource)
            elif kind == DATAPLANE_INSIGHT.name:
                self._readiness.index_insight(change.key, change.resource)
            elif kind == EXTERNAL_SERVICE.name:
                external |= self._index_external(change.key, change.resource)
            elif kind in self._policy_kinds:
                kinds.add(self._index_kind(change.key, change.resource))
            elif kind in _SERVICES:
                self._engine.set(change.key, change.resource)
                kinds.add(self._index_kind(change.key, change.resource))
            elif kind == MESH.name:
                self._engine.set(change.key, change.resource)
                self._readiness.index_mesh(change.key.name, change.resource)
                if change.resource is None:
                    self.held.mesh_is_gone(change.key.name)
            elif kind == SECRET.name:
                self._engine.set(change.key, change.resource)
            elif kind == CONFIG.name and (mesh := mesh_of_config(change.key.name)):
                self._virtual.index(mesh, entries_of(change.resource))
        self._write(kinds, services, external)
        for mesh, name in members:
            found = self._membership.members_of(mesh, name)
            self._engine.set(members_input(mesh, name), found or None)
        for mesh, name in matches:
            names = self._matching.services_of(mesh, name)
            self._engine.set(matched_input(mesh, name), names or None)

    def _write(
        self, kinds: set[tuple[str, str]], services: set[Service], external: set[Service]
    ) -> None:
        for mesh, kind in kinds:
            held = self._policies[mesh, kind]
            self._engine.set(of_kind_input(mesh, kind), _sorted(held))
            if not held:
                del self._policies[mesh, kind]
        for mesh in self._renamed(services):
            self._engine.set(service_names_input(mesh), tuple(sorted(self._names[mesh])) or None)
        for service in services:
            inbounds = [each for found in self._inbounds[service].values() for each in found]
            self._engine.set(service_input(*service), sort_inbounds(inbounds) or None)
            self._readiness.publish(service, self._inbounds[service])
            if not inbounds:
                del self._inbounds[service]
        for service in external:
            self._engine.set(external_input(*service), _sorted(self._external[service]))
            if not self._external[service]:
                del self._external[service]

    def _renamed(self, services: set[Service]) -> set[str]:
        """The meshes in which a service came or went."""
        renamed: set[str] = set()
        for mesh, name in services:
            names, is_served = self._names[mesh], bool(self._inbounds[mesh, name])
            if is_served != (name in names):
                renamed.add(mesh)
                (names.add if is_served else names.discard)(name)
        return renamed

    def _index_kind(self, key: ResourceKey, resource: AnyResource | None) -> tuple[str, str]:
        _put(self._policies[key.mesh, key.kind], key.name, resource)
        return key.mesh, key.kind

    def _index_dataplane(self, key: ResourceKey, resource: Resource[Any] | None) -> set[Service]:
        self.held.put(key, resource)
        place = (key.mesh, key.name)
        before = self._services_of.pop(place, set())
        found: dict[str, list[ServiceInbound]] = defaultdict(list)
        bare: tuple[ServiceInbound, ...] = ()
        if resource is not None and isinstance(resource.spec, DataplaneSpec):
            bare = bare_inbounds_of(resource)
            for service, inbound in index_inbounds(resource):
                found[service].append(inbound)
            self._services_of[place] = set(found)
        if bare != self._bare[key.mesh].get(key.name, ()):
            _put(self._bare[key.mesh], key.name, bare or None)
            self._engine.set(bare_input(key.mesh), dict(self._bare[key.mesh]) or None)
        touched = set[Service]()
        for service in before | set(found):
            held = self._inbounds[key.mesh, service]
            if held.get(key.name) != found.get(service):
                _put(held, key.name, found.get(service))
                touched.add((key.mesh, service))
        self._readiness.index_dataplane(place, set(found))
        return touched

    def _index_external(self, key: ResourceKey, resource: AnyResource | None) -> set[Service]:
        place = (key.mesh, key.name)
        touched = set[Service]()
        if (before := self._external_of.pop(place, None)) is not None:
            self._external[key.mesh, before].pop(key.name, None)
            touched.add((key.mesh, before))
        if resource is not None and isinstance(resource.spec, ExternalServiceSpec):
            service = resource.spec.tags.get(well_known.SERVICE_TAG, "")
            self._external_of[place] = service
            self._external[key.mesh, service][key.name] = resource
            touched.add((key.mesh, service))
        return touched


class _Virtual:
    """The virtual addresses of services by tags: of a mesh, and of each service."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._services: dict[str, set[str]] = {}

    def index(self, mesh: str, entries: tuple[Entry, ...]) -> None:
        by_service: dict[str, list[Entry]] = defaultdict(list)
        for entry in entries:
            for service in entry.services:
                by_service[service].append(entry)
        self._engine.set(virtual_input(mesh), entries or None)
        for service in self._services.get(mesh, set()) | set(by_service):
            found = tuple(by_service.get(service, ()))
            self._engine.set(virtual_of_input(mesh, service), found or None)
        self._services[mesh] = set(by_service)


class _Readiness:
    """When may others speak mutual TLS to a service? When its proxies have certificates.

    # Differs from Kuma: there a new instance of a service that has no certificate yet makes the
    # service "not ready" for all its callers, who then speak plaintext to proxies that refuse it.
    # Here a service that was ready under a backend stays ready under it: a proxy gets its
    # certificate before it listens. Proxies that were never connected do not count.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._backend: dict[str, str] = {}
        self._issued: dict[tuple[str, str], str] = {}
        self._services_of: dict[tuple[str, str], set[str]] = {}
        self._proxies_of: dict[Service, set[str]] = defaultdict(set)
        self._ready_under: dict[Service, str] = {}

    def index_mesh(self, mesh: str, resource: AnyResource | None) -> None:
        spec = resource.spec if resource is not None else None
        mtls = spec.mtls if isinstance(spec, MeshSpec) else None
        _put(self._backend, mesh, mtls.enabled_backend if mtls else "")
        for service in [each for each in self._proxies_of if each[0] == mesh]:
            self._update(service)

    def index_insight(self, key: ResourceKey, resource: AnyResource | None) -> None:
        place = (key.mesh, key.name)
        spec = resource.spec if resource is not None else None
        if isinstance(spec, DataplaneInsightSpec):
            issued = spec.mtls.issued_backend if spec.mtls else ""
            if self._issued.get(place) == issued:
                return
            self._issued[place] = issued
        elif self._issued.pop(place, None) is None:
            return
        for service in self._services_of.get(place, ()):
            self._update((key.mesh, service))

    def index_dataplane(self, place: tuple[str, str], services: set[str]) -> None:
        mesh, name = place
        before = self._services_of.pop(place, set())
        if services:
            self._services_of[place] = services
        for service in before - services:
            self._proxies_of[mesh, service].discard(name)
        for service in services - before:
            self._proxies_of[mesh, service].add(name)
        for service in before ^ services:
            self._update((mesh, service))

    def publish(self, service: Service, proxies: Mapping[str, object]) -> None:
        if not proxies:
            self._proxies_of.pop(service, None)
            self._ready_under.pop(service, None)
            self._engine.set(tls_ready_input(*service), None)

    def _update(self, service: Service) -> None:
        mesh, _ = service
        backend = self._backend.get(mesh, "")
        known = [
            self._issued[mesh, name]
            for name in self._proxies_of[service]
            if (mesh, name) in self._issued
        ]
        if not backend and not any(map(_is_identity, known)):
            self._ready_under.pop(service, None)
        elif self._ready_under.get(service) != backend:
            if known and all(issued == backend or _is_identity(issued) for issued in known):
                self._ready_under[service] = backend
            else:
                self._ready_under.pop(service, None)
        ready = service in self._ready_under
        self._engine.set(tls_ready_input(*service), ready or None)


def _is_identity(issued_backend: str) -> bool:
    return issued_backend.startswith(_IDENTITY)


def _put(held: dict[str, Any], name: str, found: Any) -> None:
    if found:
        held[name] = found
    else:
        held.pop(name, None)


def _sorted(by_name: Mapping[str, AnyResource]) -> tuple[AnyResource, ...] | None:
    return tuple(by_name[name] for name in sorted(by_name)) or None
