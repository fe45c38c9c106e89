"""The spec of a Dataplane, as users write it."""

from collections.abc import Iterator
from enum import StrEnum

from pydantic import Field

from kuma.kit.value import value
from kuma.resources import labels as well_known
from kuma.resources.proto_json import Bool, ProtoDuration, ProtoModel, Struct, Tags, UInt32


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


class TcpProbe(ProtoModel):
    pass


class ServiceProbe(ProtoModel):
    interval: ProtoDuration | None = None
    timeout: ProtoDuration | None = None
    unhealthy_threshold: UInt32 | None = None
    healthy_threshold: UInt32 | None = None
    tcp: TcpProbe | None = None


class Inbound(ProtoModel):
    """`port` is where the proxy listens, `service_port` where the application does."""

    port: UInt32 = 0
    service_port: UInt32 = 0
    service_address: str = ""
    address: str = ""
    tags: Tags = Field(default_factory=dict)
    health: InboundHealth | None = None
    service_probe: ServiceProbe | None = None
    state: InboundState = InboundState.READY
    name: str = ""
    protocol: str = ""

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
    name: str = ""
    port: UInt32 = 0
    labels: Tags = Field(default_factory=dict)


class Outbound(ProtoModel):
    """`listening_address` is the loopback one unless `address` says otherwise."""

    address: str = ""
    port: UInt32 = 0
    tags: Tags = Field(default_factory=dict)
    backend_ref: BackendRef | None = None

    @property
    def service(self) -> str:
        return self.tags.get(well_known.SERVICE_TAG, "")

    @property
    def listening_address(self) -> str:
        return self.address or "127.0.0.1"


class Gateway(ProtoModel):
    tags: Tags = Field(default_factory=dict)
    type: GatewayType = GatewayType.DELEGATED


class ReachableBackendRef(ProtoModel):
    kind: str = ""
    name: str = ""
    namespace: str = ""
    port: UInt32 | None = None
    labels: Tags = Field(default_factory=dict)


class ReachableBackends(ProtoModel):
    refs: tuple[ReachableBackendRef, ...] = ()


class TransparentProxying(ProtoModel):
    redirect_port_inbound: UInt32 = 0
    redirect_port_outbound: UInt32 = 0
    direct_access_services: tuple[str, ...] = ()
    reachable_services: tuple[str, ...] = ()
    ip_family_mode: IpFamilyMode = IpFamilyMode.UNSPECIFIED
    reachable_backends: ReachableBackends | None = None


class Admin(ProtoModel):
    port: UInt32 = 0


class ZoneProxyListener(ProtoModel):
    type: ListenerType = ListenerType.UNSPECIFIED
    address: str = ""
    port: UInt32 = 0
    name: str = ""
    state: ListenerState = ListenerState.READY


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
    advertised_address: str = ""
    gateway: Gateway | None = None
    inbound: tuple[Inbound, ...] = ()
    outbound: tuple[Outbound, ...] = ()
    transparent_proxying: TransparentProxying | None = None
    admin: Admin | None = None
    listeners: tuple[ZoneProxyListener, ...] = ()

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
    type: str = ""
    conf: Struct | None = None


class ProbeEndpoint(ProtoModel):
    inbound_port: UInt32 = 0
    inbound_path: str = ""
    path: str = ""


class Probes(ProtoModel):
    port: UInt32 = 0
    endpoints: tuple[ProbeEndpoint, ...] = ()


class DataplaneSpec(ProtoModel):
    networking: DataplaneNetworking
    metrics: MetricsBackend | None = None
    probes: Probes | None = None

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
