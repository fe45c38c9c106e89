"""Rendered resources as the static part of an Envoy bootstrap: no control plane is needed then.

A bootstrap has no place for what comes over xDS, so routes are put into their listeners, endpoints
into their clusters, and secrets among the static ones.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from envoy.config.bootstrap.v3.bootstrap_pb2 import Bootstrap
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.config_source_pb2 import ApiConfigSource
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.config.trace.v3.datadog_pb2 import DatadogConfig
from envoy.config.trace.v3.opentelemetry_pb2 import OpenTelemetryConfig
from envoy.config.trace.v3.zipkin_pb2 import ZipkinConfig
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import SdsSecretConfig, Secret
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import (
    CommonTlsContext,
    DownstreamTlsContext,
    UpstreamTlsContext,
)
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message

from kuma.envoy.print import parse_message
from kuma.envoy.secret import build_ca, build_certificate
from kuma.envoy.snapshot import EnvoyResource
from kuma.plan.secret import SecretBytes

ADS_CLUSTER = "ads_cluster"
_CONTEXTS = (UpstreamTlsContext, DownstreamTlsContext)
_TRACERS = (ZipkinConfig, DatadogConfig, OpenTelemetryConfig)


def a_bootstrap() -> Bootstrap:
    """With an ADS that is named by what is still to be fetched, and never answers, and with the
    limits that kuma-dp gives."""
    bootstrap = Bootstrap()
    limits = bootstrap.layered_runtime.layers.add(name="kuma")
    limits.static_layer.update({"re2.max_program_size.error_level": 2**32 - 1})
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
    if apart:
        messages += _missing_secrets(messages)
    secrets = {each.name for each in messages if isinstance(each, Secret)}
    for message in messages:
        match message:
            case Listener():
                _inline_routes(message, routes)
                _inline_secrets(message, secrets, apart)
                _rename_collectors(message, apart)
                if apart:
                    _move_apart(message, 1 + len(static.listeners))
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


def _move_apart(listener: Listener, number: int) -> None:
    if listener.address.HasField("pipe"):
        listener.address.pipe.path = f"/tmp/test-{number}.sock"
    else:
        listener.address.socket_address.port_value = number


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


def _rename_collectors(listener: Listener, apart: str) -> None:
    """Envoy looks at once for the cluster that spans are sent to."""

    def rename(tracer: Message) -> None:
        if isinstance(tracer, OpenTelemetryConfig):
            if tracer.HasField("grpc_service"):
                grpc = tracer.grpc_service.envoy_grpc
                grpc.cluster_name = apart + grpc.cluster_name
            else:
                uri = tracer.http_service.http_uri
                uri.cluster = apart + uri.cluster
        else:
            assert isinstance(tracer, ZipkinConfig | DatadogConfig)
            tracer.collector_cluster = apart + tracer.collector_cluster

    def within(manager: Message) -> None:
        assert isinstance(manager, HttpConnectionManager)
        if manager.HasField("tracing"):
            _edit(manager.tracing.provider.typed_config, _TRACERS, rename)

    for chain in listener.filter_chains:
        for each in chain.filters:
            _edit(each.typed_config, (HttpConnectionManager,), within)


def _inline_secrets(message: Listener | Cluster, known: set[str], apart: str) -> None:
    def put(config: SdsSecretConfig) -> None:
        if config.name in known:
            config.name = apart + config.name
            config.ClearField("sds_config")

    _edit_secret_configs(message, of_identity=put, of_ca=put)


def _missing_secrets(messages: list[Message]) -> list[Message]:
    """Envoy (1.40) crashes when it validates a static cluster whose secrets come over ADS."""
    found = {each.name: each for each in messages if isinstance(each, Secret)}
    pair = a_key_pair()

    def add_identity(config: SdsSecretConfig) -> None:
        found.setdefault(config.name, build_certificate(config.name, chain=pair[0], key=pair[1]))

    def add_ca(config: SdsSecretConfig) -> None:
        found.setdefault(config.name, build_ca(config.name, ca=pair[0]))

    for message in messages:
        if isinstance(message, Listener | Cluster):
            _edit_secret_configs(message, of_identity=add_identity, of_ca=add_ca)
    return [each for each in found.values() if each not in messages]


@cache
def a_key_pair() -> tuple[bytes, SecretBytes]:
    """A self-signed certificate and its key, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
    made = builder.not_valid_after(datetime(2120, 1, 1, tzinfo=UTC)).sign(key, hashes.SHA256())
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made.public_bytes(Encoding.PEM), SecretBytes(text)


def _edit_secret_configs(
    message: Listener | Cluster,
    *,
    of_identity: Callable[[SdsSecretConfig], None],
    of_ca: Callable[[SdsSecretConfig], None],
) -> None:
    def edit(context: Message) -> None:
        assert isinstance(context, _CONTEXTS)
        common = context.common_tls_context
        _inline_files(common)
        for config in common.tls_certificate_sds_secret_configs:
            of_identity(config)
        if common.HasField("combined_validation_context"):
            of_ca(common.combined_validation_context.validation_context_sds_secret_config)

    parts = message.filter_chains if isinstance(message, Listener) else [message]
    for part in parts:
        _edit(part.transport_socket.typed_config, _CONTEXTS, edit)


def _inline_files(common: CommonTlsContext) -> None:
    """Those of the proxy's machine are not on this one."""
    chain, key = a_key_pair()
    for certificate in common.tls_certificates:
        if certificate.certificate_chain.filename:
            certificate.certificate_chain.inline_bytes = chain
            certificate.private_key.inline_bytes = key.reveal


def _edit(packed: Any, kinds: tuple[type[Message], ...], edit: Callable[[Message], None]) -> None:
    for kind in kinds:
        if packed.Is(kind.DESCRIPTOR):
            message = kind()
            packed.Unpack(message)
            edit(message)
            packed.Pack(message)
