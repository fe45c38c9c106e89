"""MeshService: proxies that serve the same thing, at ports with names, as a resource of its own.

Made by the control plane from the Dataplanes of a mesh, or by hand. Its status, `spec.state` and
`spec.identities` are kept by the control plane.
Source: https://kuma.io/docs/2.14.x/networking/meshservice
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

from kuma.resources.kind import Kind, Scope, Sync
from kuma.resources.kinds.rules import check_port
from kuma.resources.kinds.service_status import (
    HostnameGeneratorStatus,
    MatchLabels,
    ServiceAddress,
    Vip,
)
from kuma.resources.resource import Resource
from kuma.resources.server_names import deprecated_names
from kuma.resources.spec import EMPTY_IS_NONE, Int32, IntOrString, SpecModel, StringMap
from kuma.resources.violation import Violation

_MAX_NAME = 63


class ServiceState(StrEnum):
    AVAILABLE = "Available"
    UNAVAILABLE = "Unavailable"


class DataplaneRef(SpecModel):
    name: Annotated[str | None, EMPTY_IS_NONE] = None
    """Name of the Dataplane."""


class Selector(SpecModel):
    """Which Dataplanes are behind the service; at most one way of saying so."""

    dataplane_tags: StringMap | None = None
    """Dataplanes with an inbound that has all of these tags."""
    dataplane_ref: DataplaneRef | None = None
    """One Dataplane, by its name."""
    dataplane_labels: MatchLabels | None = None
    """Dataplanes by their labels."""


class ServicePort(SpecModel):
    name: str | None = None
    """Name by which policies may pick this port in `sectionName`. Left out: its number."""
    port: Int32
    """Port by which the service is called."""
    target_port: IntOrString | None = None
    """The inbound behind it: its port, or its name."""
    app_protocol: str = "tcp"
    """What it speaks: tcp, http, http2, grpc, kafka or tls."""

    @property
    def section_name(self) -> str:
        """An empty name is a name: only a port without one goes by its number."""
        return str(self.port) if self.name is None else self.name

    def is_served_by(self, port: int, name: str) -> bool:
        """Whether an inbound with that port and that name is behind it."""
        return self.target_port == (name if isinstance(self.target_port, str) else port)


class IdentityType(StrEnum):
    SERVICE_TAG = "ServiceTag"
    SPIFFE_ID = "SpiffeID"


class ServiceIdentity(SpecModel):
    type: IdentityType
    """ServiceTag: the value of `kuma.io/service`; SpiffeID: the whole identity."""
    value: str
    """The identity."""


class MeshServiceSpec(SpecModel):
    state: ServiceState = ServiceState.UNAVAILABLE
    """Available once a proxy behind it is healthy. Kept by the control plane."""
    selector: Selector = Selector()
    """The Dataplanes behind the service."""
    ports: Annotated[tuple[ServicePort, ...] | None, EMPTY_IS_NONE] = None
    """The ports of the service."""
    identities: tuple[ServiceIdentity, ...] | None = None
    """Who may answer for the service. Kept by the control plane."""

    def find_port(self, name: str) -> ServicePort | None:
        """By name or by number, as a BackendRef gives it."""
        return next((p for p in self.ports or () if name in {p.section_name, str(p.port)}), None)


class TlsStatus(StrEnum):
    READY = "Ready"
    NOT_READY = "NotReady"


class ServiceTls(SpecModel):
    status: TlsStatus | None = None
    """Ready once all proxies of the service have had a certificate."""


class ProxyCounts(SpecModel):
    """What is zero is left out."""

    connected: int | None = None
    """Proxies that are connected to a control plane."""
    healthy: int | None = None
    """Proxies of which every inbound behind the service is ready."""
    total: int | None = None
    """Proxies behind the service."""


class MeshServiceStatus(SpecModel):
    addresses: tuple[ServiceAddress, ...] | None = None
    """Names by which applications call the service."""
    vips: tuple[Vip, ...] | None = None
    """Virtual addresses by which applications call the service."""
    tls: ServiceTls = ServiceTls()
    """Whether the service may be called with mutual TLS."""
    hostname_generators: tuple[HostnameGeneratorStatus, ...] | None = None
    """What became of each HostnameGenerator that selects the service."""
    dataplane_proxies: ProxyCounts = ProxyCounts()
    """The proxies behind the service, counted."""


def _validate(resource: Resource[MeshServiceSpec]) -> tuple[Violation, ...]:
    return tuple(_violations(resource))


def _violations(resource: Resource[MeshServiceSpec]) -> Iterator[Violation]:
    if len(resource.display_name) > _MAX_NAME:
        yield Violation("name", f"must not be longer than {_MAX_NAME} characters")
    selector = resource.spec.selector
    ways = (selector.dataplane_tags, selector.dataplane_ref, selector.dataplane_labels)
    if sum(way is not None for way in ways) > 1:
        message = "must specify only one of: dataplaneTags, dataplaneRef, or dataplaneLabels"
        yield Violation("spec.selector", message)
    for index, port in enumerate(resource.spec.ports or ()):
        # Differs from Kuma: it accepts any number, and Envoy refuses the listener.
        yield from check_port(f"spec.ports[{index}].port", port.port)


def _ports(spec: MeshServiceSpec) -> tuple[tuple[int, str], ...]:
    return tuple((each.port, each.section_name) for each in spec.ports or ())


MESH_SERVICE = Kind(
    name="MeshService",
    plural="MeshServices",
    display_plural="Mesh Services",
    scope=Scope.MESH,
    spec=MeshServiceSpec,
    status=MeshServiceStatus,
    path="meshservices",
    argument="meshservice",
    short="msvc",
    sync=Sync.ZONE_TO_GLOBAL | Sync.ACROSS_ZONES,
    validate=_validate,
    deprecations=deprecated_names,
    ports=_ports,
)
