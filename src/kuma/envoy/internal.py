"""Which clients an HTTP connection manager takes for internal: the headers `x-envoy-*` that they send
are believed, and `x-envoy-internal` says so to the workload.

Source: https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers
"""

from functools import lru_cache

from envoy.config.core.v3.address_pb2 import CidrRange
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from google.protobuf.wrappers_pb2 import UInt32Value

from kuma.config.control_plane import INTERNAL_CIDRS
from kuma.envoy.address import is_ipv6

ONLY_LOOPBACK = ("127.0.0.1/32", "::1/128")
InternalRanges = tuple[str, ...]
"""As `ipam.knownInternalCIDRs` has them; none: only the proxy's own machine."""

DEFAULT: InternalRanges = INTERNAL_CIDRS


@lru_cache(maxsize=16)
def internal_ranges(
    ranges: InternalRanges, *, has_ipv6: bool
) -> HttpConnectionManager.InternalAddressConfig:
    """Without IPv6 a machine may refuse its ranges."""
    pairs = (text.rsplit("/", 1) for text in ranges or ONLY_LOOPBACK)
    return HttpConnectionManager.InternalAddressConfig(
        cidr_ranges=[
            CidrRange(address_prefix=prefix, prefix_len=UInt32Value(value=int(bits)))
            for prefix, bits in pairs
            if has_ipv6 or not is_ipv6(prefix)
        ]
    )
