"""Socket addresses and sources of configuration: the small messages that all others contain."""

from datetime import timedelta
from ipaddress import ip_address

from envoy.config.core.v3.address_pb2 import Address, Pipe, SocketAddress
from envoy.config.core.v3.config_source_pb2 import (
    AggregatedConfigSource,
    ApiConfigSource,
    ApiVersion,
    ConfigSource,
)
from envoy.config.core.v3.grpc_service_pb2 import GrpcService

from kuma.envoy.message import duration

# How long Envoy waits for a resource that the control plane does not send, before it goes on
# without: until then a cluster, a listener, and at its start everything behind them, is held up.
# Envoy's own default, 15 s, is longer than a person waits for a sidecar to start; 0 would be for
# ever. The control plane sends everything that it names together, so nothing waits in a sound mesh.
FIRST_FETCH = timedelta(seconds=5)

ADS = ConfigSource(
    ads=AggregatedConfigSource(),
    resource_api_version=ApiVersion.V3,
    initial_fetch_timeout=duration(FIRST_FETCH),
)


def asking(cluster: str) -> ConfigSource:
    """Over gRPC, of somebody else than the control plane."""
    service = GrpcService(envoy_grpc=GrpcService.EnvoyGrpc(cluster_name=cluster))
    return ConfigSource(
        api_config_source=ApiConfigSource(
            api_type=ApiConfigSource.GRPC,
            transport_api_version=ApiVersion.V3,
            grpc_services=[service],
        ),
        resource_api_version=ApiVersion.V3,
    )


def socket_address(address: str, port: int) -> Address:
    return Address(socket_address=SocketAddress(address=address, port_value=port))


def pipe_address(path: str) -> Address:
    return Address(pipe=Pipe(path=path))


def is_ip(address: str) -> bool:
    try:
        ip_address(address)
    except ValueError:
        return False
    return True


def is_ipv6(address: str) -> bool:
    return ":" in address and is_ip(address)
