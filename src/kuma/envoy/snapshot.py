"""An EnvoySnapshot: everything that one proxy should have, as bytes that proxies share."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from itertools import chain
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


class Layered(Mapping[str, EnvoyResource]):
    """What is a proxy's `own`, over what it has in common with others. Whoever compares or
    serializes the `shared` layer does it once for all who hold the same object."""

    __slots__ = ("is_disjoint", "own", "shared")

    def __init__(self, own: Named, shared: Named) -> None:
        self.own = own
        self.shared = shared
        self.is_disjoint = shared.keys().isdisjoint(own)

    def __getitem__(self, name: str) -> EnvoyResource:
        found = self.own.get(name)
        return self.shared[name] if found is None else found

    def __contains__(self, name: object) -> bool:
        return name in self.own or name in self.shared

    def __iter__(self) -> Iterator[str]:
        if self.is_disjoint:
            return chain(self.own, self.shared)
        return chain(self.own, (name for name in self.shared if name not in self.own))

    def __len__(self) -> int:
        if self.is_disjoint:
            return len(self.own) + len(self.shared)
        return sum(1 for _ in self)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Layered) and (self.own is other.own or self.own == other.own):
            if self.shared is other.shared:
                return True
            if self.is_disjoint and other.is_disjoint:
                return self.shared == other.shared
        return isinstance(other, Mapping) and dict(self) == dict(other)

    __hash__ = None  # type: ignore[assignment]


def layered(own: Named, shared: Named) -> Named:
    """Both, without a layer that has nothing."""
    if not own:
        return shared
    return Layered(own, shared) if shared else own


class Snapshot:
    """Resources by type and name. `of(type)` returns the same object while that type is unchanged,
    so a stream sees with `is` what there is to compare."""

    __slots__ = ("_by_type",)

    def __init__(self, by_type: Mapping[TypeUrl, Named]) -> None:
        self._by_type = dict(by_type)

    def of(self, type_url: TypeUrl) -> Named:
        return self._by_type.get(type_url, NOTHING)

    def after(self, previous: "Snapshot | None") -> "Snapshot":
        """The same, with the objects of `previous` for types that are equal."""
        if previous is None:
            return self
        kept = {}
        for kind, named in self._by_type.items():
            before = previous.of(kind)
            kept[kind] = before if before == named else named
        return Snapshot(kept)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Snapshot) and self._by_type == other._by_type

    def __hash__(self) -> int:
        return hash(frozenset((kind, len(named)) for kind, named in self._by_type.items()))
