"""Envoy resources in the JSON form in which people read them, keys redacted wherever they stand.

The same text serves goldens, the inspect API and kumactl. Source: protobuf's JSON mapping.
"""

from typing import Any

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from kuma.envoy.snapshot import EnvoyResource, Snapshot, TypeUrl

REDACTED = "<redacted>"
_KEYS = {"privateKey"}
_STRUCTS = {"filterMetadata", "jsonFormat"}
_TYPED_STRUCT = "type.googleapis.com/xds.type.v3.TypedStruct"

_MESSAGES: dict[TypeUrl, type[Message]] = {
    TypeUrl.CLUSTER: Cluster,
    TypeUrl.ENDPOINT: ClusterLoadAssignment,
    TypeUrl.LISTENER: Listener,
    TypeUrl.ROUTE: RouteConfiguration,
    TypeUrl.SECRET: Secret,
}


def parse_message(resource: EnvoyResource) -> Message:
    return _MESSAGES[resource.type_url].FromString(resource.body)


def snapshot_as_json(snapshot: Snapshot) -> dict[str, dict[str, Any]]:
    """By type URL and name; types without resources are left out."""
    return {
        kind.value: {name: as_json(named[name]) for name in sorted(named)}
        for kind in TypeUrl
        if (named := snapshot.of(kind))
    }


def as_json(resource: EnvoyResource) -> dict[str, Any]:
    """Field names in camelCase, packed messages with their `@type`."""
    plain: dict[str, Any] = _plain(MessageToDict(parse_message(resource)))
    return plain


def _plain(value: Any, *, is_struct: bool = False) -> Any:
    """The entries of maps are sorted, since protobuf keeps them in an order that differs from
    process to process; the fields of messages stay in theirs."""
    if isinstance(value, list):
        return [_plain(each, is_struct=is_struct) for each in value]
    if not isinstance(value, dict):
        return value
    is_struct |= value.get("@type") == _TYPED_STRUCT
    is_map = is_struct or not all(map(str.isidentifier, (key.lstrip("@") for key in value)))
    return {
        key: REDACTED
        if key in _KEYS
        else _plain(value[key], is_struct=is_struct or key in _STRUCTS)
        for key in (sorted(value) if is_map else value)
    }
