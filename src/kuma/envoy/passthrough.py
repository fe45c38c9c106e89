"""Listeners and clusters of redirected traffic that is for no inbound and no outbound.

All redirected connections arrive at these listeners, which hand each over to the listener of its original
destination (`use_original_dst`), if there is one; the rest is theirs.
Source: https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/listener_filters/original_dst_filter
"""

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.base_pb2 import INBOUND, OUTBOUND
from envoy.config.listener.v3.listener_components_pb2 import Filter, FilterChain, FilterChainMatch
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.extensions.filters.network.tcp_proxy.v3.tcp_proxy_pb2 import TcpProxy
from google.protobuf.wrappers_pb2 import BoolValue, UInt32Value

from kuma.envoy import tls
from kuma.envoy.address import socket_address
from kuma.envoy.cluster import build_nowhere, build_original, sending_from
from kuma.envoy.internal import DEFAULT, InternalRanges
from kuma.envoy.listener import TCP_PROXY
from kuma.envoy.message import pack
from kuma.envoy.shaper import PassedOut
from kuma.plan import names
from kuma.plan.proxy import DirectAccess, InboundPassthrough, OutboundPassthrough

_ANY = {4: "0.0.0.0", 6: "::"}  # noqa: S104 where redirected connections arrive
_SOURCE = {4: "127.0.0.6", 6: "::6"}
_TRUE = BoolValue(value=True)
_FALSE = BoolValue(value=False)


def build_passed_out(plan: OutboundPassthrough, *, internal: InternalRanges = DEFAULT) -> PassedOut:
    """A listener whose cluster is missing ends connections."""
    name = plan.name
    listener = Listener(
        name=name,
        stat_prefix=name if plan.is_unified else "",
        address=socket_address(_ANY[plan.version], plan.port),
        traffic_direction=OUTBOUND,
        use_original_dst=_TRUE,
        filter_chains=[ended(plan.port), FilterChain(filters=[forward(name, name)])],
    )
    cluster = build_original(name) if plan.is_open else None
    return PassedOut(plan, listener, cluster, internal)


def build_passed_in(plan: InboundPassthrough) -> tuple[Listener, tuple[Cluster, ...]]:
    name = plan.name
    cluster = build_original(name)
    cluster.upstream_bind_config.CopyFrom(sending_from(_SOURCE[plan.version]))
    listener = Listener(
        name=name,
        stat_prefix=name if plan.is_unified else "",
        address=socket_address(_ANY[plan.version], plan.port),
        traffic_direction=INBOUND,
        use_original_dst=_TRUE,
        enable_reuse_port=_TRUE,
        filter_chains=[ended(plan.port)],
    )
    if not plan.ports and not plan.closed:
        listener.filter_chains.append(FilterChain(filters=[forward(name, name)]))
    for ports, to in ((plan.ports or (), name), (plan.closed, names.NO_DESTINATION)):
        for port in ports:
            match = FilterChainMatch(destination_port=UInt32Value(value=port))
            chain = FilterChain(filters=[forward(name, to)], filter_chain_match=match)
            listener.filter_chains.append(chain)
    return listener, (cluster, build_nowhere(names.NO_DESTINATION))


def build_direct(plan: DirectAccess) -> tuple[list[Listener], Cluster]:
    """A listener for each instance, all to one cluster."""
    cluster = build_original(names.DIRECT_ACCESS)
    if plan.tls is not None:
        cluster.transport_socket.CopyFrom(tls.outbound_socket(plan.tls))
    return [_direct_listener(*each) for each in plan.instances], cluster


def _direct_listener(address: str, port: int) -> Listener:
    name = names.direct_access(address, port)
    return Listener(
        name=name,
        address=socket_address(address, port),
        traffic_direction=OUTBOUND,
        bind_to_port=_FALSE,
        filter_chains=[FilterChain(filters=[forward(name, names.DIRECT_ACCESS)])],
    )


def ended(port: int) -> FilterChain:
    """Ends connections to the listener's own port, which nobody redirected: passed on, each would come
    back as another one.

    # Differs from Kuma, where one such connection costs the proxy all that it has.
    """
    return FilterChain(
        filter_chain_match=FilterChainMatch(destination_port=UInt32Value(value=port))
    )


def forward(name: str, cluster: str) -> Filter:
    """`name` is for statistics."""
    proxy = TcpProxy(stat_prefix=names.statistic(name), cluster=cluster)
    return Filter(name=TCP_PROXY, typed_config=pack(proxy))
