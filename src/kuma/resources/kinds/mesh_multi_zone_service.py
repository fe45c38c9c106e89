"""MeshMultiZoneService: MeshServices of any zone that serve the same thing, as one destination.

Source: https://kuma.io/docs/2.14.x/networking/meshmultizoneservice
"""

from collections.abc import Iterator

from kuma.resources.kind import Kind, Scope, Sync
from kuma.resources.kinds.conditions import Condition
from kuma.resources.kinds.rules import SUPPORTED_PROTOCOLS, check_port
from kuma.resources.kinds.service_status import (
    HostnameGeneratorStatus,
    MatchLabels,
    ServiceAddress,
    Vip,
)
from kuma.resources.resource import Resource
from kuma.resources.server_names import deprecated_names
from kuma.resources.spec import Int32, SpecModel
from kuma.resources.violation import Violation


class MultiZoneSelector(SpecModel):
    mesh_service: MatchLabels
    """MeshServices of the mesh, by their labels."""


class MultiZonePort(SpecModel):
    name: str | None = None
    """Name by which policies may pick this port in `sectionName`. Left out: its number."""
    port: Int32
    """Port by which the service is called, and of the MeshServices behind it."""
    app_protocol: str = "tcp"
    """What it speaks: tcp, http, http2, grpc or kafka."""

    @property
    def section_name(self) -> str:
        return self.name or str(self.port)


class MeshMultiZoneServiceSpec(SpecModel):
    selector: MultiZoneSelector
    """The MeshServices behind the service."""
    ports: tuple[MultiZonePort, ...]
    """The ports of the service."""


class MatchedMeshService(SpecModel):
    name: str
    """Name of the MeshService."""
    namespace: str = ""
    """Namespace of the MeshService, of one on Kubernetes."""
    zone: str = ""
    """Zone of the MeshService."""
    mesh: str
    """Mesh of the MeshService."""


class MeshMultiZoneServiceStatus(SpecModel):
    addresses: tuple[ServiceAddress, ...] | None = None
    """Names by which applications call the service."""
    vips: tuple[Vip, ...] | None = None
    """Virtual addresses by which applications call the service."""
    mesh_services: tuple[MatchedMeshService, ...] | None = None
    """The MeshServices behind the service."""
    hostname_generators: tuple[HostnameGeneratorStatus, ...] | None = None
    """What became of each HostnameGenerator that selects the service."""
    conditions: tuple[Condition, ...] | None = None
    """`MeshServicesMatched`: whether there are MeshServices behind the service."""


def _validate(resource: Resource[MeshMultiZoneServiceSpec]) -> tuple[Violation, ...]:
    return tuple(_violations(resource.spec))


def _violations(spec: MeshMultiZoneServiceSpec) -> Iterator[Violation]:
    if not spec.selector.mesh_service.match_labels:
        yield Violation("spec.selector.meshService.matchLabels", "cannot be empty")
    if not spec.ports:
        yield Violation("spec.ports", "cannot be empty")
    for index, port in enumerate(spec.ports):
        path = f"spec.ports[{index}]"
        if port.name == "":
            yield Violation(f"{path}.name", "must not be empty")
        if port.app_protocol not in SUPPORTED_PROTOCOLS:
            message = f"appProtocol must be one of: {', '.join(SUPPORTED_PROTOCOLS)}"
            yield Violation(f"{path}.appProtocol", message)
    yield from _check_numbers(spec.ports)


def _check_numbers(ports: tuple[MultiZonePort, ...]) -> Iterator[Violation]:
    """Numbers that can be listened on, each once.

    Differs from Kuma: it accepts any, and Envoy refuses the listener.
    """
    taken: dict[int, int] = {}
    for index, port in enumerate(ports):
        path = f"spec.ports[{index}].port"
        yield from check_port(path, port.port)
        first = taken.setdefault(port.port, index)
        if first != index:
            yield Violation(path, f"{port.port} is already the port of spec.ports[{first}]")


def _ports(spec: MeshMultiZoneServiceSpec) -> tuple[tuple[int, str], ...]:
    return tuple((each.port, each.section_name) for each in spec.ports)


MESH_MULTI_ZONE_SERVICE = Kind(
    name="MeshMultiZoneService",
    plural="MeshMultiZoneServices",
    display_plural="Mesh Multi Zone Services",
    scope=Scope.MESH,
    spec=MeshMultiZoneServiceSpec,
    status=MeshMultiZoneServiceStatus,
    path="meshmultizoneservices",
    argument="meshmultizoneservice",
    short="mzsvc",
    sync=Sync.GLOBAL_TO_ZONES,
    validate=_validate,
    deprecations=deprecated_names,
    ports=_ports,
)
