"""The spec of a Dataplane, as users write it."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated
from weakref import WeakValueDictionary

from pydantic import AfterValidator, Field

from kuma.kit.value import value
from kuma.resources import labels as well_known
from kuma.resources.proto_json import (
    Bool,
    Numbered,
    ProtoDuration,
    ProtoModel,
    Struct,
    Tags,
    UInt32,
)


class InboundState(StrEnum):
    READY = "Ready"
    NOT_READY = "NotReady"
    IGNORED = "Ignored"


class GatewayType(StrEnum):
    DELEGATED = "DELEGATED"
    BUILTIN = "BUILTIN"


class ListenerType(StrEnum):
    UNSPECIFIED = "Unspecified"
    ZONE_INGRESS = "ZoneIngress"
    ZONE_EGRESS = "ZoneEgress"


class ListenerState(StrEnum):
    READY = "Ready"
    NOT_READY = "NotReady"


class IpFamilyMode(StrEnum):
    UNSPECIFIED = "UnSpecified"
    DUAL_STACK = "DualStack"
    IPV4 = "IPv4"
    IPV6 = "IPv6"


class InboundHealth(ProtoModel):
    ready: Bool = False
    """Whether the inbound may receive traffic."""


class TcpProbe(ProtoModel):
    pass


class ServiceProbe(ProtoModel):
    interval: ProtoDuration | None = None
    """Pause between two probes."""
    timeout: ProtoDuration | None = None
    """How long a probe may take."""
    unhealthy_threshold: UInt32 | None = None
    """Failures in a row that make the service unhealthy."""
    healthy_threshold: UInt32 | None = None
    """Successes in a row that make it healthy again."""
    tcp: TcpProbe | None = None
    """Probe by connecting."""


class Inbound(ProtoModel):
    port: UInt32 = 0
    """Where the proxy listens."""
    service_port: UInt32 = 0
    """Where the application listens. Left out: the same port."""
    service_address: str = ""
    """Where the application listens. Left out: the inbound's address."""
    address: str = ""
    """Where the proxy listens. Left out: the dataplane's address."""
    tags: Tags = Field(default_factory=dict)
    """What the inbound is known by: `kuma.io/service` names the service, `kuma.io/protocol`
    says what it speaks, any others are yours, such as `version`."""
    health: InboundHealth | None = None
    """Older form of `state`."""
    service_probe: ServiceProbe | None = None
    """How the proxy finds out whether the application is well."""
    state: Annotated[InboundState, Numbered()] = InboundState.READY
    """NotReady: no traffic is sent to it; Ignored: it is treated as absent."""
    name: str = ""
    """Name by which policies may pick this inbound in `sectionName`. Left out: its port."""
    protocol: str = ""
    """What it speaks, instead of the tag: tcp, http, http2, grpc or tls."""

    @property
    def service(self) -> str:
        return self.tags.get(well_known.SERVICE_TAG, "")

    @property
    def section_name(self) -> str:
        """What policies call this inbound: its name, or its port."""
        return self.name or str(self.port)

    @property
    def declared_protocol(self) -> str:
        """The field, else the tag; empty if neither says."""
        return self.protocol or self.tags.get(well_known.PROTOCOL_TAG, "")

    @property
    def is_ready(self) -> bool:
        """Whether it may receive traffic; `health` is how Kuma 2.5 and older said so."""
        return self.state is InboundState.READY and (self.health is None or self.health.ready)


class BackendRef(ProtoModel):
    kind: str = ""
    """Kind of the service."""
    name: str = ""
    """Name of the service."""
    port: UInt32 = 0
    """Port of the service."""
    labels: Tags = Field(default_factory=dict)
    """Selects the service by its labels."""


class Outbound(ProtoModel):
    address: str = ""
    """Where the proxy listens for this application. Left out: 127.0.0.1."""
    port: UInt32 = 0
    """Where the proxy listens for this application."""
    tags: Tags = Field(default_factory=dict)
    """`kuma.io/service` names the service that answers; further tags pick some of its instances."""
    backend_ref: BackendRef | None = None
    """The service that answers, as a resource instead of by tags."""

    @property
    def service(self) -> str:
        return self.tags.get(well_known.SERVICE_TAG, "")

    @property
    def listening_address(self) -> str:
        return self.address or "127.0.0.1"


_outbounds: WeakValueDictionary[tuple[object, ...], Outbound] = WeakValueDictionary()


def _first_of_equals(outbound: Outbound) -> Outbound:
    """Instances of a service declare the same outbounds, maybe hundreds of them: each is held once."""
    if outbound.backend_ref is not None:
        return outbound
    tags = outbound.tags.items()
    return _outbounds.setdefault((outbound.address, outbound.port, *tags), outbound)


class Gateway(ProtoModel):
    tags: Tags = Field(default_factory=dict)
    """What the gateway is known by; `kuma.io/service` is required."""
    type: Annotated[GatewayType, Numbered()] = GatewayType.DELEGATED
    """DELEGATED: a gateway of your own behind the proxy; BUILTIN: the proxy is the gateway."""


class ReachableBackendRef(ProtoModel):
    kind: str = ""
    """Kind of the service."""
    name: str = ""
    """Name of the service."""
    namespace: str = ""
    """Namespace of the service."""
    port: UInt32 | None = None
    """Port of the service."""
    labels: Tags = Field(default_factory=dict)
    """Selects services by their labels."""


class ReachableBackends(ProtoModel):
    refs: tuple[ReachableBackendRef, ...] = ()
    """The services."""


class TransparentProxying(ProtoModel):
    redirect_port_inbound: UInt32 = 0
    """Port to which incoming traffic is redirected."""
    redirect_port_outbound: UInt32 = 0
    """Port to which outgoing traffic is redirected."""
    direct_access_services: tuple[str, ...] = ()
    """Services whose instances may be called by address."""
    reachable_services: tuple[str, ...] = ()
    """Services that the application calls. Left out: all."""
    ip_family_mode: Annotated[IpFamilyMode, Numbered()] = IpFamilyMode.UNSPECIFIED
    """Which IP versions are redirected."""
    reachable_backends: ReachableBackends | None = None
    """Resources that the application calls. Left out: all."""


class Admin(ProtoModel):
    port: UInt32 = 0
    """Port of Envoy's admin interface, on 127.0.0.1."""


class ZoneProxyListener(ProtoModel):
    type: Annotated[ListenerType, Numbered()] = ListenerType.UNSPECIFIED
    """What the listener is for."""
    address: str = ""
    """Where it listens."""
    port: UInt32 = 0
    """Where it listens."""
    name: str = ""
    """Name of the listener."""
    state: Annotated[ListenerState, Numbered()] = ListenerState.READY
    """Whether it takes traffic."""


@value
class InboundInterface:
    """The addresses of an inbound with every default applied.

    The proxy listens on `address:port`, others reach it at `advertised_address:port`, and it passes
    on to `service_address:service_port`.
    """

    address: str
    port: int
    advertised_address: str
    service_address: str
    service_port: int


class DataplaneNetworking(ProtoModel):
    address: str = ""
    """Address by which other proxies reach this one: IP address, or a name that the control plane
    looks up."""
    advertised_address: str = ""
    """Address that others use instead, where the proxy's own is not reachable for them."""
    gateway: Gateway | None = None
    """Set if this is a gateway rather than a sidecar."""
    inbound: tuple[Inbound, ...] = ()
    """The services behind the proxy."""
    outbound: tuple[Annotated[Outbound, AfterValidator(_first_of_equals)], ...] = ()
    """The services that the application calls, each at a port of the proxy."""
    transparent_proxying: TransparentProxying | None = None
    """Redirection of the machine's traffic into the proxy."""
    admin: Admin | None = None
    """Envoy's admin interface."""
    listeners: tuple[ZoneProxyListener, ...] = ()
    """Listeners of a zone proxy."""

    def interface_of(self, inbound: Inbound) -> InboundInterface:
        address = inbound.address or self.address
        return InboundInterface(
            address=address,
            port=inbound.port,
            advertised_address=self.advertised_address or address,
            service_address=inbound.service_address or address,
            service_port=inbound.service_port or inbound.port,
        )


class MetricsBackend(ProtoModel):
    name: str = ""
    """Name of the backend."""
    type: str = ""
    """Type of the backend."""
    conf: Struct | None = None
    """Configuration of the type."""


class ProbeEndpoint(ProtoModel):
    inbound_port: UInt32 = 0
    """Port of the application."""
    inbound_path: str = ""
    """Path of the application."""
    path: str = ""
    """Path at the proxy."""


class Probes(ProtoModel):
    port: UInt32 = 0
    """Port of the probes at the proxy."""
    endpoints: tuple[ProbeEndpoint, ...] = ()
    """The probes."""


class DataplaneSpec(ProtoModel):
    networking: DataplaneNetworking
    """Addresses, ports and services."""
    metrics: MetricsBackend | None = None
    """Overrides the mesh's metrics for this proxy."""
    probes: Probes | None = None
    """Probes of the application that the proxy answers."""

    @property
    def is_delegated_gateway(self) -> bool:
        gateway = self.networking.gateway
        return gateway is not None and gateway.type is GatewayType.DELEGATED

    @property
    def is_builtin_gateway(self) -> bool:
        gateway = self.networking.gateway
        return gateway is not None and gateway.type is GatewayType.BUILTIN

    def tag_sets(self) -> Iterator[Tags]:
        """The tags of each inbound, then those of the gateway."""
        for inbound in self.networking.inbound:
            yield inbound.tags
        if self.networking.gateway is not None:
            yield self.networking.gateway.tags
