"""Whether the real Envoy accepts what was rendered: `envoy --mode validate`, about 0.1 s a run.

    rejections({"case a": resources, "case b": ...}) -> {"case b": "what Envoy says"}

All cases share one run; if it fails, each is run alone, to say which. A bootstrap has no place for
what comes over xDS, so routes are put into their listeners, endpoints into a cluster of their own,
and secrets among the static ones.
"""

import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

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
from tests.support.envoy_binary import find_envoy

Cases = Mapping[str, Iterable[EnvoyResource]]
ADS_CLUSTER = "ads_cluster"

_CONTEXTS = (UpstreamTlsContext, DownstreamTlsContext)


def rejections(cases: Cases) -> dict[str, str]:
    """What Envoy says against each case that it rejects."""
    fixed = {name: tuple(resources) for name, resources in cases.items()}
    if not _complaint(fixed):
        return {}
    alone = {name: _complaint({name: resources}) for name, resources in fixed.items()}
    found = {name: complaint for name, complaint in alone.items() if complaint}
    return found or {"all together": _complaint(fixed)}


def assert_accepted(*resources: EnvoyResource) -> None:
    assert rejections({"it": resources}) == {}


def static_bootstrap(cases: Cases) -> Bootstrap:
    """A bootstrap with all of it, each case's names and ports apart from the others'."""
    bootstrap = Bootstrap()
    bootstrap.node.id, bootstrap.node.cluster = "test", "test"
    bootstrap.dynamic_resources.ads_config.api_type = ApiConfigSource.GRPC
    service = bootstrap.dynamic_resources.ads_config.grpc_services.add()
    service.envoy_grpc.cluster_name = ADS_CLUSTER
    bootstrap.static_resources.clusters.add(name=ADS_CLUSTER, type=Cluster.STATIC)
    for case, resources in cases.items():
        _add(bootstrap, f"{case}/", list(resources))
    return bootstrap


def _add(bootstrap: Bootstrap, prefix: str, resources: list[EnvoyResource]) -> None:
    static = bootstrap.static_resources
    messages = [parse_message(resource) for resource in resources]
    routes = {each.name: each for each in messages if isinstance(each, RouteConfiguration)}
    secrets = {each.name for each in messages if isinstance(each, Secret)}
    for message in messages:
        match message:
            case Listener():
                inline_routes(message, routes)
                inline_secrets(message, secrets, prefix)
                message.name = prefix + message.name
                message.address.socket_address.port_value = 1 + len(static.listeners)
                static.listeners.append(message)
            case Cluster():
                inline_secrets(message, secrets, prefix)
                message.name = prefix + message.name
                static.clusters.append(message)
            case Secret():
                message.name = prefix + message.name
                static.secrets.append(message)
            case ClusterLoadAssignment():
                static.clusters.append(_endpoints_only(prefix, message))


def _endpoints_only(prefix: str, assignment: ClusterLoadAssignment) -> Cluster:
    return Cluster(
        name=f"{prefix}endpoints of {assignment.cluster_name}",
        type=Cluster.STATIC,
        load_assignment=assignment,
    )


def inline_routes(listener: Listener, routes: Mapping[str, RouteConfiguration]) -> None:
    def put(manager: Message) -> None:
        assert isinstance(manager, HttpConnectionManager)
        if manager.HasField("rds") and manager.rds.route_config_name in routes:
            manager.route_config.CopyFrom(routes[manager.rds.route_config_name])

    for chain in listener.filter_chains:
        for each in chain.filters:
            _edit(each.typed_config, (HttpConnectionManager,), put)


def inline_secrets(message: Listener | Cluster, known: set[str], prefix: str) -> None:
    def put(context: Message) -> None:
        assert isinstance(context, _CONTEXTS)
        common = context.common_tls_context
        for config in common.tls_certificate_sds_secret_configs:
            make_static(config)
        if common.HasField("combined_validation_context"):
            make_static(common.combined_validation_context.validation_context_sds_secret_config)

    def make_static(config: SdsSecretConfig) -> None:
        if config.name in known:
            config.name = prefix + config.name
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


def _complaint(cases: Cases) -> str:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "bootstrap.pb"
        path.write_bytes(static_bootstrap(cases).SerializeToString())
        command = [find_envoy(), "--mode", "validate", "--config-path", path, "-l", "error"]
        ran = subprocess.run(command, capture_output=True, text=True)
    return "" if ran.returncode == 0 else (ran.stderr or ran.stdout).strip()
