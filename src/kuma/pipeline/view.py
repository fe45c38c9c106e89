"""A MeshView whose reads the engine records: resolution over it is incremental by itself."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kuma.config.runtime import SPIRE_SOCKET
from kuma.kit.incremental import Engine
from kuma.pipeline.fanout import ProxyKey
from kuma.pipeline.traits import Traits, traits_input
from kuma.plan.machine import Machine
from kuma.plan.secret import SecretBytes
from kuma.resolve.placement import Placement
from kuma.resolve.view import SERVICE_VIP_PORT, Member, ServiceInbound
from kuma.resources.kinds.dataplane import DATAPLANE
from kuma.resources.kinds.mesh import MESH
from kuma.resources.kinds.secret import SECRET, SecretSpec
from kuma.resources.meta import ResourceKey
from kuma.resources.resource import AnyResource, Resource
from kuma.resources.virtual_outbounds import Entry


def of_kind_input(mesh: str, kind: str) -> tuple[str, str, str]:
    """The engine's input with all resources of a kind in a mesh, sorted by name."""
    return ("kind", mesh, kind)


def service_input(mesh: str, service: str) -> tuple[str, str, str]:
    """The engine's input with every inbound of a service."""
    return ("service", mesh, service)


def service_names_input(mesh: str) -> tuple[str, str]:
    """The engine's input with the names of all services of inbounds, sorted."""
    return ("services", mesh)


def bare_input(mesh: str) -> tuple[str, str]:
    """The engine's input with the inbounds without a service, by Dataplane."""
    return ("bare", mesh)


def external_input(mesh: str, service: str) -> tuple[str, str, str]:
    """The engine's input with the ExternalServices of a service, sorted by name."""
    return ("external", mesh, service)


def members_input(mesh: str, mesh_service: str) -> tuple[str, str, str]:
    """The engine's input with the Dataplanes that a MeshService selects, sorted by name."""
    return ("members", mesh, mesh_service)


def matched_input(mesh: str, multi_zone_service: str) -> tuple[str, str, str]:
    """The engine's input with the names of the MeshServices behind a MeshMultiZoneService, sorted."""
    return ("matched", mesh, multi_zone_service)


def tls_ready_input(mesh: str, service: str) -> tuple[str, str, str]:
    """The engine's input that is True once a service's proxies have certificates."""
    return ("tls ready", mesh, service)


def virtual_input(mesh: str) -> tuple[str, str]:
    """The engine's input with the virtual addresses of services by tags, sorted."""
    return ("virtual", mesh)


def virtual_of_input(mesh: str, service: str) -> tuple[str, str, str]:
    """The same, of one service."""
    return ("virtual", mesh, service)


class TrackedView:
    """One for each mesh. The inputs are written by `index.py`."""

    def __init__(
        self,
        engine: Engine,
        *,
        mesh: str,
        zone: str,
        placements: tuple[Placement, ...],
        service_vip_port: int = SERVICE_VIP_PORT,
        reaches_permitted_only: bool = False,
        spire_socket: str = SPIRE_SOCKET,
    ) -> None:
        self.engine = engine
        self.reaches_permitted_only = reaches_permitted_only
        self.spire_socket = spire_socket
        self.service_vip_port = service_vip_port
        self.mesh_name = mesh
        self.zone = zone
        self.placements = placements

    def __repr__(self) -> str:
        return f"TrackedView({self.mesh_name!r})"

    def mesh(self) -> Resource[Any] | None:
        return self._resource(ResourceKey(MESH.name, "", self.mesh_name))

    def policies(self, kind: str) -> tuple[AnyResource, ...]:
        return self.engine.read(of_kind_input(self.mesh_name, kind)) or ()

    def dataplane(self, name: str) -> Resource[Any] | None:
        return self._resource(ResourceKey(DATAPLANE.name, self.mesh_name, name))

    def service_inbounds(self, service: str) -> tuple[ServiceInbound, ...]:
        return self.engine.read(service_input(self.mesh_name, service)) or ()

    def service_names(self) -> tuple[str, ...]:
        return self.engine.read(service_names_input(self.mesh_name)) or ()

    def bare_inbounds(self) -> Mapping[str, tuple[ServiceInbound, ...]]:
        return self.engine.read(bare_input(self.mesh_name)) or {}

    def external_services(self, service: str) -> tuple[Resource[Any], ...]:
        return self.engine.read(external_input(self.mesh_name, service)) or ()

    def service(self, kind: str, name: str) -> AnyResource | None:
        return self._resource(ResourceKey(kind, self.mesh_name, name))

    def services(self, kind: str) -> tuple[AnyResource, ...]:
        return self.engine.read(of_kind_input(self.mesh_name, kind)) or ()

    def members(self, mesh_service: str) -> tuple[Member, ...]:
        return self.engine.read(members_input(self.mesh_name, mesh_service)) or ()

    def virtual_outbounds(self, service: str = "") -> tuple[Entry, ...]:
        mesh = self.mesh_name
        key = virtual_of_input(mesh, service) if service else virtual_input(mesh)
        return self.engine.read(key) or ()

    def matched(self, multi_zone_service: str) -> tuple[str, ...]:
        return self.engine.read(matched_input(self.mesh_name, multi_zone_service)) or ()

    def is_tls_ready(self, service: str) -> bool:
        return bool(self.engine.read(tls_ready_input(self.mesh_name, service)))

    def secret(self, name: str) -> SecretBytes | None:
        found = self._resource(ResourceKey(SECRET.name, self.mesh_name, name))
        if found is None or not isinstance(found.spec, SecretSpec):
            return None
        return SecretBytes(found.spec.data or b"")

    def file(self, path: str) -> bytes | None:
        """Read whenever a resource that names it is resolved; a change of the file alone is not
        noticed."""
        try:
            return Path(path).read_bytes()
        except OSError:
            return None

    def machine(self, name: str) -> Machine:
        key = ProxyKey(self.mesh_name, name)
        traits: Traits = self.engine.read(traits_input(key)) or Traits()
        return traits.machine(key)

    def derive(self, compute: Callable[..., Any], args: tuple[Any, ...], /) -> Any:
        return self.engine.query(compute, self, *args)

    def _resource(self, key: ResourceKey) -> AnyResource | None:
        found: AnyResource | None = self.engine.read(key)
        return found
