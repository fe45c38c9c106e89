"""Which filter chains tell the matches of a MeshPassthrough apart, and in which order they are shown.

    matches -> ways (one for each filter chain) -> the same for every port that has a way of its own

Envoy chooses by the port first: one that is named by any match must have the ways of all matches that
name no port, too. Matches that it could not tell apart are one; the first counts.

Differs from Kuma: such matches make Envoy refuse the listener there, and two kinds of HTTP on one port,
which two policies may bring together, leave the proxy without configuration.

Source: https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/listener/v3/listener_components.proto#config-listener-v3-filterchainmatch
"""

from collections.abc import Iterable
from enum import IntEnum
from ipaddress import IPv4Network, IPv6Network, ip_network

from kuma.kit.value import value
from kuma.policies.meshpassthrough.model import LAYER_7, Match, MatchProtocol, MatchType

Network = IPv4Network | IPv6Network
ANY_PORT = 0
EVERYTHING = "*"


class Layer(IntEnum):
    """How Envoy recognizes what is spoken."""

    TLS = 0
    TCP = 1
    HTTP = 2


@value
class Way:
    """One filter chain: connections to `port`, and to `network` or to a name. `names` are the matches
    by name of HTTP, which are told apart by the host of a request; of TLS it is the one server name."""

    layer: Layer
    port: int
    protocol: MatchProtocol
    network: Network | None = None
    names: tuple[Match, ...] = ()

    @property
    def versions(self) -> frozenset[int]:
        """Of IP, over which it may be called."""
        return frozenset({4, 6}) if self.network is None else frozenset({self.network.version})


def ways(matches: Iterable[Match]) -> tuple[Way, ...]:
    """By layer; then addresses before names, narrow ones first."""
    found = sorted(dict.fromkeys(matches), key=lambda each: each.port is None)
    ports = {each.port for each in found if each.port is not None}
    made: dict[tuple[object, ...], Way] = {}
    for match in found:
        for port in sorted(ports | {ANY_PORT}) if match.port is None else (match.port,):
            way = _way(match, port)
            key = _key(way)
            before = made.setdefault(key, way)
            if before is not way and way.layer is Layer.HTTP and way.network is None:
                made[key] = _with_name(before, match)
    return tuple(sorted(made.values(), key=_rank))


def uninspected(matches: Iterable[Match]) -> frozenset[int]:
    """The ports at which the server speaks first, so that nobody may wait for the client."""
    return frozenset(
        each.port for each in matches if each.protocol is MatchProtocol.MYSQL and each.port
    )


def _way(match: Match, port: int) -> Way:
    network = None if match.type is MatchType.DOMAIN else ip_network(match.value, strict=False)
    names = (match,) if network is None else ()
    return Way(_layer(match.protocol), port, match.protocol, network, names)


def _layer(protocol: MatchProtocol) -> Layer:
    if protocol in LAYER_7:
        return Layer.HTTP
    return Layer.TLS if protocol is MatchProtocol.TLS else Layer.TCP


def _key(way: Way) -> tuple[object, ...]:
    server_name = way.names[0].value.lower() if way.names and way.layer is Layer.TLS else ""
    return way.layer, way.port, way.network, server_name


def _with_name(way: Way, match: Match) -> Way:
    if any(each.value.lower() == match.value.lower() for each in way.names):
        return way
    return Way(way.layer, way.port, way.protocol, None, (*way.names, match))


def _rank(way: Way) -> tuple[object, ...]:
    if way.network is not None:
        network = (-way.network.version, -way.network.prefixlen, int(way.network.network_address))
        return way.layer, 0, network, -way.port, ()
    names = [(-each.value.count("."), each.value) for each in way.names]
    return way.layer, 1, (), -way.port, tuple(names)
