"""Listeners that the proxy has for itself: one chain of HTTP, whose routes are in it.

Envoy's dynamic configuration, and metrics for those who ask or are told.
"""

from collections.abc import Sequence

from envoy.config.core.v3.address_pb2 import Address
from envoy.config.listener.v3.listener_components_pb2 import FilterChain
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_components_pb2 import Route, VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from google.protobuf.wrappers_pb2 import BoolValue

from kuma.envoy.http_filters import GRPC_STATS_FILTER, ROUTER_FILTER
from kuma.envoy.internal import ONLY_LOOPBACK
from kuma.envoy.listener import build_manager, manager_filter
from kuma.envoy.message import uint
from kuma.envoy.shaper import HttpChain

_FALSE = BoolValue(value=False)


def build_own_listener(
    name: str,
    address: Address,
    routes: Sequence[Route],
    *,
    unified: bool,
    grpc: bool = False,
    largest: int = 0,
) -> Listener:
    """`largest`: bytes of the longest answer that it gives itself."""
    configuration = RouteConfiguration(
        virtual_hosts=[VirtualHost(name=name, domains=["*"], routes=routes)],
        validate_clusters=_FALSE,
    )
    if largest:
        configuration.max_direct_response_body_size_bytes.CopyFrom(uint(largest))
    ip = address.socket_address.address
    manager = build_manager(name, ip, internal=ONLY_LOOPBACK, routes=configuration)
    filters = [GRPC_STATS_FILTER, ROUTER_FILTER] if grpc else [ROUTER_FILTER]
    return Listener(
        name=name,
        stat_prefix=name if unified else "",
        address=address,
        filter_chains=[FilterChain(filters=[manager_filter(HttpChain(manager, filters))])],
    )
