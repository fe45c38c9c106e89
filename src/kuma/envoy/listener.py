"""Listeners: each inbound and each outbound is one.

Inbound: filter chains end the mesh's TLS, ask who comes, and hand on to the workload. With
PERMISSIVE there are three: plain, TLS of the application's own, and the mesh's TLS, told apart by
the TLS inspector through ALPN.
Outbound: one chain.

HTTP routes come over RDS on both sides, so that a change of theirs acts on the very next request and
drains no connection. Differs from Kuma, where they are part of the listener, and where there is a filter
that counts what Kafka's protocol does: only builds of Envoy with contributed filters have it. It has none
for destinations of protocol tls, which are passed on as bytes here.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta

from envoy.config.core.v3.base_pb2 import INBOUND, OUTBOUND, Metadata, TransportSocket
from envoy.config.core.v3.protocol_pb2 import HttpProtocolOptions
from envoy.config.listener.v3.listener_components_pb2 import (
    Filter,
    FilterChain,
    FilterChainMatch,
    ListenerFilter,
)
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.listener.tls_inspector.v3.tls_inspector_pb2 import TlsInspector
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
    HttpFilter,
    Rds,
)
from envoy.extensions.filters.network.tcp_proxy.v3.tcp_proxy_pb2 import TcpProxy
from google.protobuf.wrappers_pb2 import BoolValue

from kuma.envoy import tls
from kuma.envoy.address import ADS, is_ipv6, socket_address
from kuma.envoy.client import CLIENT_HEADERS
from kuma.envoy.endpoint import SERVICE
from kuma.envoy.http_filters import GRPC_STATS_FILTER, ROUTER_FILTER, in_order
from kuma.envoy.internal import DEFAULT, InternalRanges, internal_ranges
from kuma.envoy.message import duration, pack, struct
from kuma.envoy.shaper import HttpChain, InboundChain, OutboundChain
from kuma.plan import names
from kuma.plan.protocol import Protocol
from kuma.plan.proxy import Inbound, Outbound
from kuma.plan.route import HttpRouting, TcpRouting
from kuma.plan.tags import Tags
from kuma.plan.tls import TlsMode

CONNECTION_MANAGER = "envoy.filters.network.http_connection_manager"
TCP_PROXY = "envoy.filters.network.tcp_proxy"
TLS_INSPECTOR = ListenerFilter(
    name="envoy.filters.listener.tls_inspector", typed_config=pack(TlsInspector())
)

# What an inbound has before MeshTimeout shapes it: generous, since the client's sidecar decides.
# Source: reference 6.3, seen in Kuma's listeners.
INBOUND_STREAM_IDLE = duration(timedelta(hours=1))
INBOUND_IDLE = duration(timedelta(hours=2))

TAGS_METADATA = "io.kuma.tags"
UNIFIED_NAME = "kuma.io/unified-name"

_TRUE = BoolValue(value=True)
_FALSE = BoolValue(value=False)
# Idle connections are ended by the cluster's timeout, on the side that could reuse them.
_NO_IDLE_TIMEOUT = HttpProtocolOptions(idle_timeout=duration(timedelta(0)))

ShapeInbound = Callable[[InboundChain], None]
ShapeOutbound = Callable[[OutboundChain], None]


def build_inbound(
    inbound: Inbound, shape: ShapeInbound, *, internal: InternalRanges = DEFAULT
) -> Listener:
    listener = Listener(
        name=inbound.listener_name,
        stat_prefix=inbound.unified_name,
        address=socket_address(inbound.address, inbound.port),
        traffic_direction=INBOUND,
        enable_reuse_port=_TRUE,
        metadata=_tags_metadata(
            inbound.tags or ((UNIFIED_NAME, names.self_inbound(inbound.section)),)
        ),
    )
    if not inbound.bind:
        listener.bind_to_port.CopyFrom(_FALSE)
    inspects_tls = _add_inbound_chains(listener, inbound, shape, internal)
    if inspects_tls:
        listener.listener_filters.append(TLS_INSPECTOR)
    return listener


def build_outbound(
    outbound: Outbound, shape: ShapeOutbound, *, internal: InternalRanges = DEFAULT
) -> Listener:
    listener = Listener(
        name=outbound.listener_name,
        stat_prefix=outbound.unified_name,
        address=socket_address(outbound.address, outbound.port),
        traffic_direction=OUTBOUND,
        metadata=_tags_metadata(_with_service(outbound)),
    )
    if not outbound.bind:
        listener.bind_to_port.CopyFrom(_FALSE)
    chain = _outbound_chain(outbound, internal)
    shape(chain)
    listener.filter_chains.append(FilterChain(filters=_last_filters(chain.http, chain.tcp)))
    return listener


def build_closed(part: Inbound | Outbound) -> Listener:
    """Takes connections, and ends them at once."""
    return Listener(
        name=part.listener_name,
        address=socket_address(part.address, part.port),
        traffic_direction=INBOUND if isinstance(part, Inbound) else OUTBOUND,
        bind_to_port=None if part.bind else _FALSE,
        filter_chains=[FilterChain()],
    )


def build_manager(
    stat_prefix: str,
    address: str,
    *,
    internal: InternalRanges,
    routes: RouteConfiguration | None = None,
) -> HttpConnectionManager:
    """`address` is the listener's."""
    return HttpConnectionManager(
        stat_prefix=names.statistic(stat_prefix),
        route_config=routes,
        internal_address_config=internal_ranges(internal, has_ipv6=is_ipv6(address)),
    )


def manager_filter(http: HttpChain) -> Filter:
    """The connection manager with its filters in the order of the table."""
    http.manager.http_filters.extend(in_order(http.filters))
    return Filter(name=CONNECTION_MANAGER, typed_config=pack(http.manager))


def _add_inbound_chains(
    listener: Listener, inbound: Inbound, shape: ShapeInbound, internal: InternalRanges
) -> bool:
    """Returns whether the listener must look into TLS before it chooses a chain."""
    if inbound.tls is None:
        listener.filter_chains.append(_inbound_chain(inbound, shape, internal)[0])
        return False
    socket = tls.inbound_socket(inbound.tls)
    if inbound.tls.mode is TlsMode.STRICT:
        chain, inspects_tls = _inbound_chain(inbound, shape, internal, socket=socket)
        listener.filter_chains.append(chain)
        return inspects_tls
    open_chain, _ = _inbound_chain(inbound, shape, internal)
    for match in (_RAW, _TLS):
        listener.filter_chains.append(open_chain)
        listener.filter_chains[-1].filter_chain_match.CopyFrom(match)
    secured, _ = _inbound_chain(inbound, shape, internal, socket=socket)
    secured.filter_chain_match.CopyFrom(_MESH_TLS)
    listener.filter_chains.append(secured)
    return True


_RAW = FilterChainMatch(transport_protocol="raw_buffer")
_TLS = FilterChainMatch(transport_protocol="tls")
_MESH_TLS = FilterChainMatch(transport_protocol="tls", application_protocols=[tls.MESH_ALPN])


def _inbound_chain(
    inbound: Inbound,
    shape: ShapeInbound,
    internal: InternalRanges,
    *,
    socket: TransportSocket | None = None,
) -> tuple[FilterChain, bool]:
    chain = InboundChain(inbound, secured=socket is not None)
    cluster = inbound.cluster_name
    if inbound.protocol.is_http:
        manager = _inbound_manager(inbound, cluster, internal)
        chain.http = HttpChain(manager, _always(inbound.protocol))
    else:
        chain.tcp = TcpProxy(
            stat_prefix=names.statistic(cluster), cluster=cluster, idle_timeout=INBOUND_IDLE
        )
    shape(chain)
    filters = [*chain.network_filters, *_last_filters(chain.http, chain.tcp)]
    return FilterChain(filters=filters, transport_socket=socket), chain.inspects_tls


def _inbound_manager(
    inbound: Inbound, cluster: str, internal: InternalRanges
) -> HttpConnectionManager:
    manager = build_manager(cluster, inbound.address, internal=internal)
    manager.rds.CopyFrom(_over_rds(inbound.route_name))
    manager.common_http_protocol_options.idle_timeout.CopyFrom(INBOUND_IDLE)
    manager.stream_idle_timeout.CopyFrom(INBOUND_STREAM_IDLE)
    # The workload learns the client's identity from x-forwarded-client-cert, and from no forged one.
    manager.forward_client_cert_details = HttpConnectionManager.SANITIZE_SET
    manager.set_current_client_cert_details.uri = True
    manager.early_header_mutation_extensions.append(CLIENT_HEADERS)
    return manager


def _over_rds(name: str) -> Rds:
    return Rds(config_source=ADS, route_config_name=name)


def _outbound_chain(outbound: Outbound, internal: InternalRanges) -> OutboundChain:
    match outbound.routing:
        case HttpRouting() as routing:
            manager = build_manager(outbound.service, outbound.address, internal=internal)
            manager.rds.CopyFrom(_over_rds(routing.name))
            manager.common_http_protocol_options.CopyFrom(_NO_IDLE_TIMEOUT)
            manager.normalize_path.CopyFrom(_TRUE)
            return OutboundChain(outbound, http=HttpChain(manager, _always(outbound.protocol)))
        case TcpRouting() as routing:
            return OutboundChain(outbound, tcp=_outbound_tcp(outbound.service, routing))


def _outbound_tcp(service: str, routing: TcpRouting) -> TcpProxy | None:
    """None, where there is nothing to forward to: a chain without filters closes connections."""
    split = [each for each in routing.split if each.weight > 0]
    if not split:
        return None
    proxy = TcpProxy(stat_prefix=names.statistic(service))
    if len(split) == 1:
        proxy.cluster = split[0].destination
    else:
        proxy.weighted_clusters.clusters.extend(
            TcpProxy.WeightedCluster.ClusterWeight(name=each.destination, weight=each.weight)
            for each in split
        )
    return proxy


def _last_filters(http: HttpChain | None, tcp: TcpProxy | None) -> Sequence[Filter]:
    if http is not None:
        return [manager_filter(http)]
    return [Filter(name=TCP_PROXY, typed_config=pack(tcp))] if tcp is not None else []


def _always(protocol: Protocol) -> list[HttpFilter]:
    """The HTTP filters that stand in every chain of this protocol."""
    return [GRPC_STATS_FILTER, ROUTER_FILTER] if protocol is Protocol.GRPC else [ROUTER_FILTER]


def _with_service(outbound: Outbound) -> Tags:
    """Its KRI for a destination that is known as a resource."""
    if outbound.resource is not None:
        return ((UNIFIED_NAME, outbound.kri),)
    return tuple(sorted({SERVICE: outbound.service, **dict(outbound.tags)}.items()))


def _tags_metadata(tags: Tags) -> Metadata:
    made = Metadata()
    made.filter_metadata[TAGS_METADATA].CopyFrom(struct(tags))
    return made
