"""Rendered resources as the static part of an Envoy bootstrap: no control plane is needed then.

A bootstrap has no place for what comes over xDS, so routes are put into their listeners, endpoints
into their clusters, and secrets among the static ones.
"""

from collections.abc import Callable, Iterable, Mapping

from envoy.config.bootstrap.v3.bootstrap_pb2 import Bootstrap
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.config_source_pb2 import ApiConfigSource
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import SdsSecretConfig, Secret
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import (
    DownstreamTlsContext,
    UpstreamTlsContext,
)
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message

from kuma.envoy.print import parse_message
from kuma.envoy.snapshot import EnvoyResource

ADS_CLUSTER = "ads_cluster"
_CONTEXTS = (UpstreamTlsContext, DownstreamTlsContext)


def a_bootstrap() -> Bootstrap:
    """With an ADS that is named by what is still to be fetched, and never answers."""
    bootstrap = Bootstrap()
    bootstrap.node.id, bootstrap.node.cluster = "test", "test"
    bootstrap.dynamic_resources.ads_config.api_type = ApiConfigSource.GRPC
    service = bootstrap.dynamic_resources.ads_config.grpc_services.add()
    service.envoy_grpc.cluster_name = ADS_CLUSTER
    bootstrap.static_resources.clusters.add(name=ADS_CLUSTER, type=Cluster.STATIC)
    return bootstrap


def add_static(
    bootstrap: Bootstrap, resources: Iterable[EnvoyResource], *, apart: str = ""
) -> None:
    """`apart`: a prefix for all names, with ports of their own, so that several sets of resources
    fit in one bootstrap; they do not find each other under such names, so this is for validation."""
    static = bootstrap.static_resources
    messages = [parse_message(resource) for resource in resources]
    routes = {each.name: each for each in messages if isinstance(each, RouteConfiguration)}
    assignments = {
        each.cluster_name: each for each in messages if isinstance(each, ClusterLoadAssignment)
    }
    secrets = {each.name for each in messages if isinstance(each, Secret)}
    for message in messages:
        match message:
            case Listener():
                _inline_routes(message, routes)
                _inline_secrets(message, secrets, apart)
                if apart:
                    message.address.socket_address.port_value = 1 + len(static.listeners)
                message.name = apart + message.name
                static.listeners.append(message)
            case Cluster():
                _inline_endpoints(message, assignments)
                _inline_secrets(message, secrets, apart)
                message.name = apart + message.name
                static.clusters.append(message)
            case Secret():
                message.name = apart + message.name
                static.secrets.append(message)
    for assignment in assignments.values():  # of clusters that are not among the resources
        name = f"{apart}endpoints of {assignment.cluster_name}"
        static.clusters.add(name=name, type=Cluster.STATIC, load_assignment=assignment)


def _inline_endpoints(cluster: Cluster, assignments: dict[str, ClusterLoadAssignment]) -> None:
    if cluster.type == Cluster.EDS and cluster.name in assignments:
        cluster.ClearField("eds_cluster_config")
        cluster.type = Cluster.STATIC
        cluster.load_assignment.CopyFrom(assignments.pop(cluster.name))


def _inline_routes(listener: Listener, routes: Mapping[str, RouteConfiguration]) -> None:
    def put(manager: Message) -> None:
        assert isinstance(manager, HttpConnectionManager)
        if manager.HasField("rds") and manager.rds.route_config_name in routes:
            manager.route_config.CopyFrom(routes[manager.rds.route_config_name])

    for chain in listener.filter_chains:
        for each in chain.filters:
            _edit(each.typed_config, (HttpConnectionManager,), put)


def _inline_secrets(message: Listener | Cluster, known: set[str], apart: str) -> None:
    def put(context: Message) -> None:
        assert isinstance(context, _CONTEXTS)
        common = context.common_tls_context
        for config in common.tls_certificate_sds_secret_configs:
            make_static(config)
        if common.HasField("combined_validation_context"):
            make_static(common.combined_validation_context.validation_context_sds_secret_config)

    def make_static(config: SdsSecretConfig) -> None:
        if config.name in known:
            config.name = apart + config.name
            config.ClearField("sds_config")

    parts = message.filter_chains if isinstance(message, Listener) else [message]
    for part in parts:
        _edit(part.transport_socket.typed_config, _CONTEXTS, put)


def _edit(packed: Any, kinds: tuple[type[Message], ...], edit: Callable[[Message], None]) -> None:
    for kind in kinds:
        if packed.Is(kind.DESCRIPTOR):
            message = kind()
            packed.Unpack(message)
            edit(message)
            packed.Pack(message)
