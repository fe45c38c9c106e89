"""Envoy resources as JSON for people: `_config`, goldens. Private keys are not shown."""

from typing import Any

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from kuma.envoy.snapshot import EnvoyResource, Snapshot, TypeUrl

REDACTED = "[redacted]"

_MESSAGES: dict[TypeUrl, type[Message]] = {
    TypeUrl.CLUSTER: Cluster,
    TypeUrl.ENDPOINT: ClusterLoadAssignment,
    TypeUrl.LISTENER: Listener,
    TypeUrl.ROUTE: RouteConfiguration,
    TypeUrl.SECRET: Secret,
}


def snapshot_as_json(snapshot: Snapshot) -> dict[str, Any]:
    """By type URL and name; types without resources are left out."""
    return {
        kind.value: {name: resource_as_json(named[name]) for name in sorted(named)}
        for kind in TypeUrl
        if (named := snapshot.of(kind))
    }


def resource_as_json(resource: EnvoyResource) -> dict[str, Any]:
    message = _MESSAGES[resource.type_url].FromString(resource.body)
    if isinstance(message, Secret) and message.tls_certificate.HasField("private_key"):
        message.tls_certificate.private_key.inline_string = REDACTED
    shown: dict[str, Any] = MessageToDict(message)
    return shown
