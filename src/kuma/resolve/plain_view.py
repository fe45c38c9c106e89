"""A view of one mesh over a list of resources, which computes each time: for tests, and for "what if"."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kuma.config.runtime import SPIRE_SOCKET
from kuma.plan.machine import Machine
from kuma.plan.secret import SecretBytes
from kuma.resolve.placement import Placement
from kuma.resolve.view import (
    SERVICE_VIP_PORT,
    Member,
    ServiceInbound,
    bare_inbounds_of,
    find_member,
    index_inbounds,
    sort_inbounds,
)
from kuma.resources import labels as well_known
from kuma.resources.kinds.config import CONFIG
from kuma.resources.kinds.dataplane import DATAPLANE
from kuma.resources.kinds.external_service import EXTERNAL_SERVICE
from kuma.resources.kinds.mesh import MESH
from kuma.resources.kinds.mesh_multi_zone_service import (
    MESH_MULTI_ZONE_SERVICE,
    MeshMultiZoneServiceSpec,
)
from kuma.resources.kinds.mesh_service import MESH_SERVICE, MeshServiceSpec
from kuma.resources.kinds.secret import SECRET, SecretSpec
from kuma.resources.resource import AnyResource, Resource
from kuma.resources.virtual_outbounds import Entry, config_name, entries_of


class PlainMeshView:
    """A view over resources in memory. `tls_ready`: the services that are; None: all.
    `files`: those that there are. `machine`: that of every proxy."""

    def __init__(
        self,
        resources: Iterable[AnyResource],
        *,
        mesh: str = "default",
        zone: str = "",
        placements: tuple[Placement, ...],
        tls_ready: frozenset[str] | None = None,
        files: Mapping[str, bytes] | None = None,
        service_vip_port: int = SERVICE_VIP_PORT,
        reaches_permitted_only: bool = False,
        spire_socket: str = SPIRE_SOCKET,
        machine: Machine | None = None,
    ) -> None:
        self.service_vip_port = service_vip_port
        self.reaches_permitted_only = reaches_permitted_only
        self.spire_socket = spire_socket
        self.mesh_name = mesh
        self.zone = zone
        self.placements = placements
        self._tls_ready = tls_ready
        self._files = dict(files or {})
        self._machine = machine or Machine()
        self._by_kind: dict[str, dict[str, AnyResource]] = defaultdict(dict)
        for resource in resources:
            if resource.mesh == mesh or resource.kind.name in {MESH.name, CONFIG.name}:
                self._by_kind[resource.kind.name][resource.name] = resource
        self._inbounds = self._index()

    def mesh(self) -> Resource[Any] | None:
        return self._by_kind[MESH.name].get(self.mesh_name)

    def policies(self, kind: str) -> tuple[AnyResource, ...]:
        return _sorted(self._by_kind[kind])

    def dataplane(self, name: str) -> Resource[Any] | None:
        return self._by_kind[DATAPLANE.name].get(name)

    def service_inbounds(self, service: str) -> tuple[ServiceInbound, ...]:
        return self._inbounds.get(service, ())

    def service_names(self) -> tuple[str, ...]:
        return tuple(sorted(self._inbounds))

    def bare_inbounds(self) -> Mapping[str, tuple[ServiceInbound, ...]]:
        dataplanes: Mapping[str, Resource[Any]] = self._by_kind[DATAPLANE.name]
        found = {name: bare_inbounds_of(each) for name, each in dataplanes.items()}
        return {name: inbounds for name, inbounds in found.items() if inbounds}

    def external_services(self, service: str) -> tuple[Resource[Any], ...]:
        found: tuple[Resource[Any], ...] = _sorted(self._by_kind[EXTERNAL_SERVICE.name])
        return tuple(
            each for each in found if each.spec.tags.get(well_known.SERVICE_TAG) == service
        )

    def service(self, kind: str, name: str) -> AnyResource | None:
        return self._by_kind[kind].get(name)

    def services(self, kind: str) -> tuple[AnyResource, ...]:
        return _sorted(self._by_kind[kind])

    def members(self, mesh_service: str) -> tuple[Member, ...]:
        found = self._by_kind[MESH_SERVICE.name].get(mesh_service)
        if found is None or not isinstance(found.spec, MeshServiceSpec):
            return ()
        selector, dataplanes = found.spec.selector, _sorted(self._by_kind[DATAPLANE.name])
        members = (find_member(selector, each) for each in dataplanes)
        return tuple(each for each in members if each is not None)

    def virtual_outbounds(self, service: str = "") -> tuple[Entry, ...]:
        found = self._by_kind[CONFIG.name].get(config_name(self.mesh_name))
        entries = entries_of(found)
        return tuple(e for e in entries if not service or service in e.services)

    def matched(self, multi_zone_service: str) -> tuple[str, ...]:
        found = self._by_kind[MESH_MULTI_ZONE_SERVICE.name].get(multi_zone_service)
        if found is None or not isinstance(found.spec, MeshMultiZoneServiceSpec):
            return ()
        selector = found.spec.selector.mesh_service
        services = self.services(MESH_SERVICE.name)
        return tuple(each.name for each in services if selector.matches(each.labels))

    def is_tls_ready(self, service: str) -> bool:
        return self._tls_ready is None or service in self._tls_ready

    def secret(self, name: str) -> SecretBytes | None:
        found = self._by_kind[SECRET.name].get(name)
        if found is None or not isinstance(found.spec, SecretSpec):
            return None
        return SecretBytes(found.spec.data or b"")

    def file(self, path: str) -> bytes | None:
        return self._files.get(path)

    def machine(self, name: str) -> Machine:
        return self._machine

    def derive(self, compute: Callable[..., Any], args: tuple[Any, ...], /) -> Any:
        return compute(self, *args)

    def _index(self) -> dict[str, tuple[ServiceInbound, ...]]:
        found: dict[str, list[ServiceInbound]] = defaultdict(list)
        for dataplane in _sorted(self._by_kind[DATAPLANE.name]):
            for service, inbound in index_inbounds(dataplane):
                found[service].append(inbound)
        return {service: sort_inbounds(inbounds) for service, inbounds in found.items()}


def _sorted(by_name: Mapping[str, AnyResource]) -> tuple[Any, ...]:
    return tuple(by_name[name] for name in sorted(by_name))
