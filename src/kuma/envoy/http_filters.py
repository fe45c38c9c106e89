"""The order of HTTP filters, in one table; and the filters that no policy decides about.

A request passes the filters from the top of the table to its end. Whoever adds a filter hands it
over in any order; a filter that the table does not name is an error at the time of building, so
that a new one gets its place, and a reason, here.
"""

from collections.abc import Iterable

from envoy.extensions.filters.http.grpc_stats.v3.config_pb2 import FilterConfig as GrpcStats
from envoy.extensions.filters.http.router.v3.router_pb2 import Router
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpFilter,
)

from kuma.envoy.message import pack

RBAC = "envoy.filters.http.rbac"
FAULT = "envoy.filters.http.fault"
RATE_LIMIT = "envoy.filters.http.local_ratelimit"
GRPC_STATS = "envoy.filters.http.grpc_stats"
ROUTER = "envoy.filters.http.router"

ORDER: tuple[tuple[str, str], ...] = (
    (RBAC, "who may not come in must not cost or learn anything, nor show up as served"),
    (GRPC_STATS, "counts every call that was let in, also those that end before the router"),
    (FAULT, "a request that fails on purpose must not use up what the client may send"),
    (RATE_LIMIT, "what goes on to the workload is what is limited"),
    (ROUTER, "ends the chain: Envoy requires it to be the last"),
)
_RANK = {name: rank for rank, (name, _) in enumerate(ORDER)}

ROUTER_FILTER = HttpFilter(name=ROUTER, typed_config=pack(Router()))
GRPC_STATS_FILTER = HttpFilter(
    name=GRPC_STATS, typed_config=pack(GrpcStats(emit_filter_state=True))
)


def in_order(filters: Iterable[HttpFilter]) -> list[HttpFilter]:
    """The filters as the table has them. KeyError for one that it does not name."""
    return sorted(filters, key=lambda each: _RANK[each.name])
