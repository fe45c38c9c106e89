"""The way to Envoy's admin interface: for everybody only `/ready`, for the control plane all of it.

    anyone         -- plaintext --> /ready ──> kuma-dp, which knows whether the proxy is draining
    control plane  -- mutual TLS -> /ready, / ──> Envoy's admin, else reachable only from beside it

The server's certificate and the CA come over SDS: no key stands in a listener, and control planes
may change theirs without draining it.
"""

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.address_pb2 import Address
from envoy.config.core.v3.base_pb2 import INBOUND
from envoy.config.listener.v3.listener_components_pb2 import FilterChain, FilterChainMatch
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_components_pb2 import Route, RouteAction, RouteMatch, VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from google.protobuf.wrappers_pb2 import BoolValue

from kuma.envoy import tls
from kuma.envoy.address import pipe_address, socket_address
from kuma.envoy.cluster import build_local_cluster
from kuma.envoy.http_filters import ROUTER_FILTER
from kuma.envoy.internal import ONLY_LOOPBACK
from kuma.envoy.listener import TLS_INSPECTOR, build_manager, manager_filter
from kuma.envoy.shaper import HttpChain
from kuma.plan import names
from kuma.plan.proxy import Admin

LOOPBACK = "127.0.0.1"


def build_clusters(admin: Admin) -> tuple[Cluster, Cluster]:
    """Envoy's admin interface, and kuma-dp's readiness."""
    interface = _either(admin.socket, admin.tcp_port)
    readiness = _either(admin.readiness_socket, admin.readiness_port)
    return (
        build_local_cluster(names.admin(unified=admin.is_unified), interface),
        build_local_cluster(names.readiness(unified=admin.is_unified), readiness),
    )


def build_listener(admin: Admin) -> Listener | None:
    """None, if there is to be none or Envoy's own admin interface already has that address."""
    if not admin.port or (
        not admin.socket and admin.address == LOOPBACK and admin.port == admin.tcp_port
    ):
        return None
    ready = _to(names.readiness(unified=admin.is_unified), RouteMatch(path="/ready"))
    everything = _to(names.admin(unified=admin.is_unified), RouteMatch(prefix="/"))
    secured = _chain(admin, [ready, everything])
    secured.filter_chain_match.CopyFrom(FilterChainMatch(transport_protocol="tls"))
    secured.transport_socket.CopyFrom(tls.admin_socket())
    return Listener(
        name=names.admin(unified=admin.is_unified),
        address=socket_address(admin.address, admin.port),
        traffic_direction=INBOUND,
        # Where two proxies share an address, the second must not answer for the first.
        enable_reuse_port=BoolValue(value=False),
        listener_filters=[TLS_INSPECTOR],
        filter_chains=[_chain(admin, [ready]), secured],
    )


def _chain(admin: Admin, routes: list[Route]) -> FilterChain:
    host = VirtualHost(name=names.admin(unified=admin.is_unified), domains=["*"], routes=routes)
    manager = build_manager(
        names.admin(unified=admin.is_unified),
        admin.address,
        internal=ONLY_LOOPBACK,
        routes=RouteConfiguration(virtual_hosts=[host], validate_clusters=BoolValue(value=False)),
    )
    return FilterChain(filters=[manager_filter(HttpChain(manager, [ROUTER_FILTER]))])


def _to(cluster: str, match: RouteMatch) -> Route:
    return Route(match=match, route=RouteAction(cluster=cluster))


def _either(socket: str, port: int) -> Address:
    return pipe_address(socket) if socket else socket_address(LOOPBACK, port)
