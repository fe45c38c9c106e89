"""The interface through which policies edit what is built.

    Renderer ── builds a part from the plan ──> Shaper.<hook>(part) of each policy ──> bytes

A hook gets the protobuf messages themselves, unpacked and by name, with the part of the plan that
they were built from: a shaper reads its configuration from the plan's slots and edits; it never
searches. Hooks are called also where a policy has no configuration, since some have defaults.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.listener.v3.listener_components_pb2 import Filter
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_components_pb2 import Route, VirtualHost
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
    HttpFilter,
)
from envoy.extensions.filters.network.tcp_proxy.v3.tcp_proxy_pb2 import TcpProxy
from envoy.extensions.upstreams.http.v3.http_protocol_options_pb2 import HttpProtocolOptions

from kuma.envoy.finished import Finished, Made
from kuma.envoy.internal import DEFAULT, InternalRanges
from kuma.envoy.told import Told
from kuma.kit.slots import Slots
from kuma.plan.proxy import Destination, DirectAccess, Inbound, Outbound, OutboundPassthrough
from kuma.plan.route import HttpRoute


@dataclass(slots=True)
class HttpChain:
    """The HTTP part of a filter chain. `filters` may be in any order: the table in
    `http_filters.py` sorts them."""

    manager: HttpConnectionManager
    filters: list[HttpFilter] = field(default_factory=list)


@dataclass(slots=True)
class InboundChain:
    """One filter chain of an inbound: `http`, whose routes come over RDS, or `tcp`.

    `secured`: the client has shown a certificate of the mesh. `network_filters` go before the last
    filter, in their order. `inspects_tls`: a filter needs to know the server name that was asked
    for.
    """

    inbound: Inbound
    secured: bool
    http: HttpChain | None = None
    tcp: TcpProxy | None = None
    network_filters: list[Filter] = field(default_factory=list)
    inspects_tls: bool = False


@dataclass(slots=True)
class OutboundChain:
    """The filter chain of an outbound: `http`, whose routes come over RDS, or `tcp`."""

    outbound: Outbound
    http: HttpChain | None = None
    tcp: TcpProxy | None = None


@dataclass(slots=True)
class Upstream:
    """A cluster, and the options for HTTP that it will contain packed."""

    cluster: Cluster
    http: HttpProtocolOptions | None = None


@dataclass(slots=True)
class PassedOut:
    """The listener of traffic that no outbound is for, and the cluster to which it goes; None: to
    nowhere. `internal`: which clients are."""

    plan: OutboundPassthrough
    listener: Listener
    cluster: Cluster | None
    internal: InternalRanges = DEFAULT


@dataclass(slots=True)
class Direct:
    """The listeners of instances that are called directly."""

    plan: DirectAccess
    listeners: list[Listener]


class Shaper:
    """Does nothing at every hook; a policy overrides what it shapes. `kind` is that of the policy.
    `guards`: without its edit a part would let in whom it keeps out, so there is no part without."""

    kind: ClassVar[str] = ""
    guards: ClassVar[bool] = False

    def inbound_chain(self, chain: InboundChain) -> None: ...

    def inbound_routes(self, host: VirtualHost, inbound: Inbound) -> None:
        """All requests that come in, by whichever chain; what is put here acts on the next request,
        also on connections that exist, where a change of a chain waits for new ones."""

    def inbound_cluster(self, upstream: Upstream, inbound: Inbound) -> None: ...

    def outbound_chain(self, chain: OutboundChain) -> None: ...

    def outbound_route(self, route: Route, plan: HttpRoute, outbound: Outbound) -> None: ...

    def destination_cluster(self, upstream: Upstream, destination: Destination) -> None: ...

    def passed_out(self, made: PassedOut) -> Iterable[Cluster]:
        """Returns further clusters, to which what it put into the listener sends."""
        return ()

    def direct_access(self, made: Direct) -> Iterable[Cluster]:
        """Returns further clusters that the listeners need."""
        return ()

    def beside(self, part: Inbound | Outbound) -> Iterable[Cluster]:
        """Clusters that what a policy put into the listener of a part needs. The same name stands for
        the same cluster in all parts of all proxies."""
        return ()

    def finish(self, made: Made, conf: Slots) -> Finished:
        """The last hook, with what the whole plan carries; not called where it carries nothing."""
        return Finished((made,))

    def add(self, conf: Slots, *, system_ca_path: str = "") -> Finished:
        """Resources beside those that the plan asks for. Under a name in use they replace.
        `system_ca_path` is that of the CAs of the proxy's machine."""
        return Finished(())

    def told(self, conf: Slots) -> Iterable[Told]:
        """What the proxy's kuma-dp is to know."""
        return ()
