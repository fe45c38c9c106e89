"""Clusters: the workload behind an inbound, the destinations, and Envoy's own interfaces."""

from datetime import timedelta

from envoy.config.cluster.v3.circuit_breaker_pb2 import CircuitBreakers
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.address_pb2 import Address, BindConfig, SocketAddress
from envoy.config.core.v3.protocol_pb2 import Http1ProtocolOptions, Http2ProtocolOptions
from envoy.extensions.upstreams.http.v3.http_protocol_options_pb2 import HttpProtocolOptions

from kuma.envoy import tls
from kuma.envoy.address import ADS, is_ip, pipe_address, socket_address
from kuma.envoy.endpoint import fill_lb_endpoint
from kuma.envoy.message import duration, pack
from kuma.envoy.shaper import Upstream
from kuma.plan import names
from kuma.plan.collector import Collector
from kuma.plan.endpoint import Endpoint
from kuma.plan.machine import Machine
from kuma.plan.protocol import Protocol
from kuma.plan.proxy import Agent, Destination, Eds, Inbound, Resolved
from kuma.plan.tls import ExternalTls, MutualTls

HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

# What holds where no MeshTimeout says otherwise. Source: reference 6.4, seen in Kuma's clusters.
CONNECT_TIMEOUT = duration(timedelta(seconds=5))
INBOUND_CONNECT_TIMEOUT = duration(timedelta(seconds=10))
INBOUND_IDLE_TIMEOUT = duration(timedelta(hours=2))

# `track_remaining` shows in the statistics how near a limit is.
_LIMITS = CircuitBreakers(thresholds=[CircuitBreakers.Thresholds(track_remaining=True)])
_EDS = Cluster.EdsClusterConfig(eds_config=ADS)

_Explicit = HttpProtocolOptions.ExplicitHttpConfig
_HTTP1 = HttpProtocolOptions(
    explicit_http_config=_Explicit(http_protocol_options=Http1ProtocolOptions())
)
_HTTP2 = HttpProtocolOptions(
    explicit_http_config=_Explicit(http2_protocol_options=Http2ProtocolOptions())
)


def build_inbound_cluster(inbound: Inbound) -> Upstream:
    """The workload, at its own address; spoken to in the protocol that it declared."""
    name = inbound.cluster_name
    cluster = build_local_cluster(
        name, socket_address(inbound.service_address, inbound.service_port)
    )
    cluster.connect_timeout.CopyFrom(INBOUND_CONNECT_TIMEOUT)
    if inbound.source:
        cluster.upstream_bind_config.CopyFrom(sending_from(inbound.source))
    spoken = _spoken(inbound.protocol)
    if spoken is not None:
        spoken.common_http_protocol_options.idle_timeout.CopyFrom(INBOUND_IDLE_TIMEOUT)
    return Upstream(cluster, spoken)


def build_local_cluster(name: str, address: Address) -> Cluster:
    """One fixed endpoint beside Envoy."""
    made = Cluster(
        name=name,
        alt_stat_name=names.alternative(name),
        type=Cluster.STATIC,
        connect_timeout=CONNECT_TIMEOUT,
        circuit_breakers=_LIMITS,
    )
    made.load_assignment.cluster_name = name
    only = made.load_assignment.endpoints.add().lb_endpoints.add()
    only.endpoint.address.CopyFrom(address)
    return made


def sending_from(address: str) -> BindConfig:
    """Connections come from this address, from any port."""
    return BindConfig(source_address=SocketAddress(address=address, port_value=0))


def build_original(name: str) -> Cluster:
    """Wherever the connection was going before it was redirected."""
    return Cluster(
        name=name,
        alt_stat_name=names.statistic(name),
        type=Cluster.ORIGINAL_DST,
        lb_policy=Cluster.CLUSTER_PROVIDED,
        connect_timeout=CONNECT_TIMEOUT,
        circuit_breakers=_LIMITS,
    )


def speaking_http2(cluster: Cluster) -> Cluster:
    """The same, whose endpoints take HTTP/2."""
    return finish(Upstream(cluster, _copy(_HTTP2)))


def build_agent(agent: Agent) -> Cluster:
    """Who hands out certificates on the proxy's own machine."""
    made = build_local_cluster(agent.name, pipe_address(agent.socket))
    made.connect_timeout.CopyFrom(duration(agent.timeout))
    return speaking_http2(made)


def build_nowhere(name: str) -> Cluster:
    """No endpoints: who is sent there is not connected."""
    made = Cluster(
        name=name,
        alt_stat_name=names.statistic(name),
        type=Cluster.STATIC,
        connect_timeout=CONNECT_TIMEOUT,
        circuit_breakers=_LIMITS,
    )
    made.load_assignment.cluster_name = name
    return made


def build_collector(name: str, collector: Collector, machine: Machine) -> Cluster:
    """What the proxy itself reports to; the collector may be a name in DNS."""
    host = collector.host or machine.host_ip
    made = Cluster(name=name, connect_timeout=CONNECT_TIMEOUT)
    _add_resolved(made, Resolved((Endpoint(host, collector.port),)))
    if collector.is_secure:
        external = ExternalTls(server_name=host)
        ca_path = machine.system_ca_path
        socket = tls.external_socket(external, host=host, system_ca_path=ca_path)
        made.transport_socket.CopyFrom(socket)
    return finish(Upstream(made, _copy(_HTTP1 if collector.is_http else _HTTP2)))


def build_piped(name: str, socket: str) -> Cluster:
    """kuma-dp, which sends on what Envoy reports."""
    return speaking_http2(build_local_cluster(name, pipe_address(socket)))


def build_destination(destination: Destination, *, system_ca_path: str = "") -> Upstream:
    """The cluster of a destination, under its name.

    Sidecars are spoken to in HTTP/2 whatever the service's protocol, so that few connections, and
    few TLS handshakes, carry many requests; the sidecar there speaks HTTP/1 to the workload again.
    """
    cluster = Cluster(
        name=destination.name, connect_timeout=CONNECT_TIMEOUT, circuit_breakers=_LIMITS
    )
    match destination.endpoints:
        case Eds():
            cluster.type = Cluster.EDS
            cluster.eds_cluster_config.CopyFrom(_EDS)
            http: HttpProtocolOptions | None = _copy(_HTTP2)
        case Resolved() as resolved:
            _add_resolved(cluster, resolved)
            http = _spoken(destination.protocol)
    match destination.tls:
        case MutualTls() as mutual:
            cluster.transport_socket.CopyFrom(tls.outbound_socket(mutual))
        case ExternalTls() as external:
            socket = tls.external_socket(
                external, host=_host(destination), system_ca_path=system_ca_path
            )
            cluster.transport_socket.CopyFrom(socket)
        case None:
            pass
    return Upstream(cluster, http)


def finish(upstream: Upstream) -> Cluster:
    """The cluster with its options for HTTP packed, when no shaper will edit them any more."""
    if upstream.http is not None:
        upstream.cluster.typed_extension_protocol_options[HTTP_OPTIONS].CopyFrom(
            pack(upstream.http)
        )
    return upstream.cluster


def _add_resolved(cluster: Cluster, resolved: Resolved) -> None:
    if all(is_ip(endpoint.address) for endpoint in resolved.endpoints):
        cluster.type = Cluster.STATIC
    else:
        cluster.type = Cluster.STRICT_DNS
        # Differs from Kuma: V4_ONLY there, for a proxy at an IPv4 address. A name that has only
        # IPv6 addresses is reached here too, and proxies of both kinds share one cluster.
        cluster.dns_lookup_family = Cluster.V4_PREFERRED
    cluster.load_assignment.cluster_name = cluster.name
    # Envoy wants priorities without gaps.
    priorities = sorted({endpoint.priority for endpoint in resolved.endpoints})
    for rank, priority in enumerate(priorities):
        group = cluster.load_assignment.endpoints.add(priority=rank)
        for endpoint in resolved.endpoints:
            if endpoint.priority == priority:
                fill_lb_endpoint(group.lb_endpoints.add(), endpoint, matches_sockets=True)


def _host(destination: Destination) -> str:
    match destination.endpoints:
        case Resolved(endpoints=(first, *_)):
            return first.address
        case _:
            return ""


def _spoken(protocol: Protocol) -> HttpProtocolOptions | None:
    if protocol.is_http2:
        return _copy(_HTTP2)
    return _copy(_HTTP1) if protocol.is_http else None


def _copy(options: HttpProtocolOptions) -> HttpProtocolOptions:
    copy = HttpProtocolOptions()
    copy.CopyFrom(options)
    return copy
