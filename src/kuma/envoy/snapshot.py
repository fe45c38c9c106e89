"""An EnvoySnapshot: everything that one proxy should have, as bytes that proxies share."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from kuma.kit.value import value


class TypeUrl(StrEnum):
    """The five xDS types served here. Make-before-break order: clusters, endpoints, listeners,
    routes; secrets are fetched by whoever names them.

    Source: https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#eventual-consistency-considerations
    """

    CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
    ENDPOINT = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
    LISTENER = "type.googleapis.com/envoy.config.listener.v3.Listener"
    ROUTE = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
    SECRET = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"  # noqa: S105 a type


@value
class EnvoyResource:
    """`body` is the message serialized deterministically; `version` is a hash of it."""

    type_url: TypeUrl
    name: str
    version: str
    body: bytes


Named = Mapping[str, EnvoyResource]
NOTHING: Named = MappingProxyType({})


class Snapshot:
    """Resources by type and name. `of(type)` returns the same object while that type is unchanged,
    so a stream sees with `is` what there is to compare."""

    __slots__ = ("_by_type",)

    def __init__(self, by_type: Mapping[TypeUrl, Named]) -> None:
        self._by_type = dict(by_type)

    def of(self, type_url: TypeUrl) -> Named:
        return self._by_type.get(type_url, NOTHING)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Snapshot) and self._by_type == other._by_type

    def __hash__(self) -> int:
        return hash(frozenset((kind, len(named)) for kind, named in self._by_type.items()))
