"""Filter chains on the listener of what no outbound is for.

Each leads to a cluster of its own, so that statistics tell them apart; all go to where the connection
was going before it was redirected.
"""

from collections.abc import Iterable, Iterator

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.address_pb2 import CidrRange
from envoy.config.core.v3.base_pb2 import DataSource
from envoy.config.listener.v3.listener_components_pb2 import (
    Filter,
    FilterChain,
    FilterChainMatch,
    ListenerFilter,
    ListenerFilterChainMatchPredicate,
)
from envoy.config.route.v3.route_components_pb2 import (
    DirectResponseAction,
    Route,
    RouteAction,
    RouteMatch,
    VirtualHost,
)
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.listener.http_inspector.v3.http_inspector_pb2 import HttpInspector
from envoy.extensions.filters.listener.original_dst.v3.original_dst_pb2 import OriginalDst
from envoy.extensions.filters.listener.tls_inspector.v3.tls_inspector_pb2 import TlsInspector
from envoy.type.v3.range_pb2 import Int32Range
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import BoolValue, UInt32Value

from kuma.envoy.cluster import build_original, speaking_http2
from kuma.envoy.http_filters import ROUTER_FILTER
from kuma.envoy.listener import build_manager, manager_filter
from kuma.envoy.message import pack
from kuma.envoy.passthrough import ended, forward
from kuma.envoy.shaper import HttpChain, PassedOut, Shaper
from kuma.policies.meshpassthrough.model import (
    Match,
    MatchProtocol,
    PassthroughConf,
    PassthroughMode,
)
from kuma.policies.meshpassthrough.route import (
    ANY_PORT,
    EVERYTHING,
    Layer,
    Way,
    uninspected,
    ways,
)

NO_MATCH = (
    "This response comes from the sidecar: no destination of a MeshPassthrough policy has this "
    "domain.\n"
)
_HTTP2 = (MatchProtocol.HTTP2, MatchProtocol.GRPC)
_Predicate = ListenerFilterChainMatchPredicate
_PREFIX = "meshpassthrough"


class PassthroughShaper(Shaper):
    kind = "MeshPassthrough"
    guards = True

    def passed_out(self, made: PassedOut) -> Iterable[Cluster]:
        conf = made.plan.conf.get(PassthroughConf)
        if conf is None:
            return ()
        match conf.passthrough_mode or PassthroughMode.MATCHED:
            case PassthroughMode.ALL:
                made.cluster = build_original(made.plan.name)
                return ()
            case PassthroughMode.NONE:
                made.cluster = None
                return ()
            case PassthroughMode.MATCHED:
                made.cluster = None
                return _shape_matched(made, conf.append_match or ())


def _shape_matched(made: PassedOut, matches: tuple[Match, ...]) -> tuple[Cluster, ...]:
    found = [way for way in ways(matches) if made.plan.version in way.versions]
    if not found:
        return ()
    listener, clusters = made.listener, dict[str, Cluster]()
    del listener.filter_chains[:]
    listener.filter_chains.append(ended(made.plan.port))
    for way in found:
        listener.filter_chains.append(_chain(way, clusters, made))
    disabled = _disabled(uninspected(matches))
    listener.listener_filters.append(_listener_filter("original_dst", OriginalDst()))
    for name, inspector in (("tls_inspector", TlsInspector()), ("http_inspector", HttpInspector())):
        listener.listener_filters.append(_listener_filter(name, inspector, disabled))
    return tuple(clusters[name] for name in sorted(clusters))


def _chain(way: Way, clusters: dict[str, Cluster], passed: PassedOut) -> FilterChain:
    match = FilterChainMatch()
    if way.port != ANY_PORT:
        match.destination_port.CopyFrom(UInt32Value(value=way.port))
    if way.network is not None:
        prefix = UInt32Value(value=way.network.prefixlen)
        address_of = str(way.network.network_address)
        match.prefix_ranges.append(CidrRange(address_prefix=address_of, prefix_len=prefix))
    if way.layer is Layer.HTTP:
        match.transport_protocol = "raw_buffer"
        match.application_protocols.extend(("http/1.1", "h2c"))
        made, name = _http(way, clusters, passed)
    else:
        match.transport_protocol = "tls" if way.layer is Layer.TLS else "raw_buffer"
        match.server_names.extend(_server_names(way))
        name = _add(clusters, _value(way), _spoken(way), way.port)
        made = forward(name, name)
    return FilterChain(name=name, filters=[made], filter_chain_match=match)


def _server_names(way: Way) -> Iterator[str]:
    """Those of clients come in lower case; every one of them needs no name."""
    for each in way.names:
        if each.value != EVERYTHING:
            yield each.value.lower()


def _http(way: Way, clusters: dict[str, Cluster], passed: PassedOut) -> tuple[Filter, str]:
    """The connection manager, and the name of its filter chain."""
    if way.network is not None:
        name = _add(clusters, _value(way), way.protocol, way.port)
        hosts = [_host(_value(way), [EVERYTHING], name)]
    else:
        name = f"{_PREFIX}_{way.protocol}_{way.port or '*'}"
        hosts = list(_hosts(way, clusters))
    # The clusters come with the listener, and Envoy may look at the listener first.
    routes = RouteConfiguration(
        name=name, virtual_hosts=hosts, validate_clusters=BoolValue(value=False)
    )
    address = passed.listener.address.socket_address.address
    manager = build_manager(name, address, internal=passed.internal, routes=routes)
    return manager_filter(HttpChain(manager, [ROUTER_FILTER])), name


def _hosts(way: Way, clusters: dict[str, Cluster]) -> Iterator[VirtualHost]:
    """Envoy takes the narrowest domain by itself; the rest is told why it is refused."""
    for match in way.names:
        cluster = _add(clusters, match.value, match.protocol, way.port)
        yield _host(match.value, _domains(match.value, way.port), cluster)
    if not any(match.value == EVERYTHING for match in way.names):
        refused = DirectResponseAction(status=503, body=DataSource(inline_string=NO_MATCH))
        route = Route(match=RouteMatch(prefix="/"), direct_response=refused)
        yield VirtualHost(name="no_match", domains=[EVERYTHING], routes=[route])


def _domains(name: str, port: int) -> list[str]:
    """Clients may name the port as well."""
    if name == EVERYTHING:
        return [EVERYTHING]
    return [name, f"{name}:{port}"] if port != ANY_PORT else [name, f"{name}:*"]


def _host(name: str, domains: list[str], cluster: str) -> VirtualHost:
    route = Route(match=RouteMatch(prefix="/"), route=RouteAction(cluster=cluster))
    return VirtualHost(name=name, domains=domains, routes=[route])


def _add(clusters: dict[str, Cluster], value: str, protocol: MatchProtocol, port: int) -> str:
    name = f"{_PREFIX}_{protocol}_{value}_{port or '*'}"
    made = build_original(name)
    clusters[name] = speaking_http2(made) if protocol in _HTTP2 else made
    return name


def _spoken(way: Way) -> MatchProtocol:
    """What goes by in a cluster's name."""
    return MatchProtocol.TLS if way.layer is Layer.TLS else MatchProtocol.TCP


def _value(way: Way) -> str:
    if way.network is None:
        return way.names[0].value
    single = way.network.prefixlen == way.network.max_prefixlen
    return str(way.network.network_address if single else way.network)


def _listener_filter(
    name: str, conf: Message, disabled: _Predicate | None = None
) -> ListenerFilter:
    full = f"envoy.filters.listener.{name}"
    return ListenerFilter(name=full, typed_config=pack(conf), filter_disabled=disabled)


def _disabled(ports: Iterable[int]) -> _Predicate | None:
    rules = [
        _Predicate(destination_port_range=Int32Range(start=port, end=port + 1))
        for port in sorted(ports)
    ]
    if len(rules) < 2:
        return rules[0] if rules else None
    return _Predicate(or_match=_Predicate.MatchSet(rules=rules))


SHAPER = PassthroughShaper()
