"""The plan of one proxy, and its parts."""

from datetime import timedelta

from kuma.kit.slots import EMPTY, Slots
from kuma.kit.value import value
from kuma.plan import names
from kuma.plan.endpoint import Endpoint, Preference
from kuma.plan.origin import Origin
from kuma.plan.protocol import Protocol
from kuma.plan.route import Routing
from kuma.plan.tags import Tags
from kuma.plan.tls import InboundTls, MutualTls, UpstreamTls


@value
class Inbound:
    """One service that the proxy serves: listens on `address:port`, forwards to the workload at
    `service_address:service_port`. `section` is its name, or its port as text. `source`: the address
    from which it forwards, where the machine's redirection has to know its traffic. `unified_name`
    empty: its objects in Envoy are called in the legacy form."""

    section: str
    address: str
    port: int
    service_address: str
    service_port: int
    protocol: Protocol
    service: str
    tags: Tags
    tls: InboundTls | None = None
    bind: bool = True
    conf: Slots = EMPTY
    source: str = ""
    unified_name: str = ""

    @property
    def listener_name(self) -> str:
        return self.unified_name or names.inbound_listener(self.address, self.port)

    @property
    def cluster_name(self) -> str:
        return self.unified_name or names.inbound_cluster(self.service_port)

    @property
    def route_name(self) -> str:
        return self.unified_name or names.inbound_route(self.address, self.port)


@value
class ResourcePort:
    """One port of a MeshService or a relative. `section` is the port's name."""

    kind: str
    name: str
    port: int
    section: str


@value
class Eds:
    """Endpoints come over EDS under the destination's name, placed as the client prefers; None: as
    the mesh does for everybody."""

    preference: Preference | None = None


@value
class Resolved:
    """Envoy connects to fixed addresses, resolving DNS names itself."""

    endpoints: tuple[Endpoint, ...]


@value
class Destination:
    """One upstream: in Envoy a cluster named `name`. `tags` are the subset beyond the service;
    `resource` is set for one that is known as a resource, rather than by tags."""

    name: str
    service: str
    protocol: Protocol
    tags: Tags = ()
    endpoints: Eds | Resolved = Eds()
    tls: UpstreamTls = None
    conf: Slots = EMPTY
    resource: ResourcePort | None = None


@value
class Outbound:
    """One address that the workload sends to. `tags` are those of the destination, `resource` the
    port of the resource that it is, `kri` how that is identified. `client_tags` are what its receivers
    know the proxy by, where nothing better tells them; several values of a tag are joined by commas.
    `unified_name` empty: the listener is called in the legacy form."""

    address: str
    port: int
    service: str
    tags: Tags
    protocol: Protocol
    routing: Routing
    bind: bool = True
    conf: Slots = EMPTY
    resource: ResourcePort | None = None
    client_tags: Tags = ()
    kri: str = ""
    unified_name: str = ""

    @property
    def listener_name(self) -> str:
        return self.unified_name or names.outbound_listener(self.address, self.port)


@value
class OutboundPassthrough:
    """Redirected traffic of the workload that no outbound is for: of one version of IP, at `port`.
    `is_open`: unless a policy says otherwise it goes where it wanted to."""

    version: int
    port: int
    is_open: bool = True
    conf: Slots = EMPTY
    is_unified: bool = False

    @property
    def name(self) -> str:
        return names.outbound_passthrough(self.version, unified=self.is_unified)


@value
class InboundPassthrough:
    """Redirected traffic to the machine that no inbound is for: of one version of IP, at `port`. It is
    passed on to `ports`, to all if that is None; connections to the `closed` ones are ended."""

    version: int
    port: int
    ports: tuple[int, ...] | None = None
    closed: tuple[int, ...] = ()
    is_unified: bool = False

    @property
    def name(self) -> str:
        return names.inbound_passthrough(self.version, unified=self.is_unified)


@value
class DirectAccess:
    """Instances of services that the workload calls by their own addresses and ports."""

    instances: tuple[tuple[str, int], ...]
    tls: MutualTls | None = None
    conf: Slots = EMPTY
    is_unified: bool = False


@value
class Admin:
    """The listener through which the control plane alone reaches Envoy's admin interface.

    `port` 0: none. `socket` is the admin's unix socket, else it is at 127.0.0.1:`tcp_port`.
    `readiness_port` is kuma-dp's, to which `/ready` is forwarded. `is_unified`: how its objects in
    Envoy are called.
    """

    address: str
    port: int
    readiness_port: int
    readiness_socket: str = ""
    socket: str = ""
    tcp_port: int = 0
    is_unified: bool = False


@value
class Agent:
    """Who hands out a proxy's certificate on its own machine, at a unix socket."""

    name: str
    socket: str
    timeout: timedelta


@value
class Identity:
    """Which certificates the proxy needs, its own and those of whom it trusts; from `agent`, or from the
    control plane."""

    identity_secret: str
    ca_secret: str
    backend: str
    agent: Agent | None = None


@value
class Diagnostic:
    """Something in a resource that could not be used as written; the rest of the plan stands."""

    origin: Origin
    path: str
    message: str


@value
class ProxyPlan:
    """Sorted by name or address, so that equal input in any order gives an equal plan."""

    mesh: str
    name: str
    inbounds: tuple[Inbound, ...]
    outbounds: tuple[Outbound, ...]
    destinations: tuple[Destination, ...]
    admin: Admin | None
    identity: Identity | None
    passthrough: bool = True
    conf: Slots = EMPTY
    diagnostics: tuple[Diagnostic, ...] = ()
    passed_in: tuple[InboundPassthrough, ...] = ()
    passed_out: tuple[OutboundPassthrough, ...] = ()
    direct: DirectAccess | None = None
