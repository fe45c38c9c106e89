"""TimeoutConf -> timeouts of listeners, routes and clusters.

A timeout that a policy leaves out has a default as soon as the policy applies; an inbound, a cluster and
an outbound to a resource have the defaults even without any policy. Source: seen in Kuma's
configuration.

Timeouts under a condition on the client become routes of their own before the inbound's only one:

    client -> headers of Envoy's own -> route -> timeouts

so they hold for requests; what a connection has before its first request cannot depend on them.
Differs from Kuma: headers, not filter state, whose filter the published API does not describe yet;
and a condition on the server name alone holds too.
"""

from datetime import timedelta

from envoy.config.route.v3.route_components_pb2 import (
    Route,
    RouteAction,
    VirtualHost,
)
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)

from kuma.envoy.client import matches_of
from kuma.envoy.message import duration
from kuma.envoy.route import build_header_match
from kuma.envoy.shaper import InboundChain, OutboundChain, Shaper, Upstream
from kuma.kit.slots import Slots
from kuma.plan.proxy import Destination, Inbound, Outbound
from kuma.plan.route import HttpRoute
from kuma.policies.meshtimeout.model import ConditionalTimeouts, TimeoutConf, TimeoutHttp

CONNECTION = timedelta(seconds=5)
IDLE = timedelta(hours=1)
REQUEST = timedelta(seconds=15)
STREAM_IDLE = timedelta(minutes=30)
OFF = timedelta(0)


class TimeoutShaper(Shaper):
    kind = "MeshTimeout"

    def inbound_chain(self, chain: InboundChain) -> None:
        conf = _for_all(chain.inbound)
        if chain.http is not None:
            if conf is not None:
                _shape_headers_timeout(chain.http.manager, conf)
                # Idle connections are ended by the cluster's timeout.
                chain.http.manager.common_http_protocol_options.idle_timeout.CopyFrom(duration(OFF))
            conditional = chain.inbound.conf.get(ConditionalTimeouts)
            if conditional is not None:
                chain.inspects_tls |= any(each.match.sni is not None for each in conditional.rules)
        if chain.tcp is not None and conf is not None:
            chain.tcp.idle_timeout.CopyFrom(duration(_or(conf.idle_timeout, IDLE)))

    def inbound_routes(self, host: VirtualHost, inbound: Inbound) -> None:
        conf = _for_all(inbound)
        if conf is not None:
            _shape_action(host.routes[0].route, conf)
        conditional = inbound.conf.get(ConditionalTimeouts)
        if conditional is not None:
            _shape_conditional(host, conditional)

    def inbound_cluster(self, upstream: Upstream, inbound: Inbound) -> None:
        conf = _for_all(inbound)
        if conf is not None:
            _shape_cluster(upstream, conf, is_http=inbound.protocol.is_http)

    def outbound_chain(self, chain: OutboundChain) -> None:
        conf = _sending(chain.outbound, chain.outbound.conf)
        if conf is None:
            return
        if chain.http is not None:
            _shape_headers_timeout(chain.http.manager, conf)
        if chain.tcp is not None:
            chain.tcp.idle_timeout.CopyFrom(duration(_or(conf.idle_timeout, IDLE)))

    def outbound_route(self, route: Route, plan: HttpRoute, outbound: Outbound) -> None:
        conf = _sending(outbound, plan.conf)
        if conf is not None and route.HasField("route"):
            _shape_action(route.route, conf)

    def destination_cluster(self, upstream: Upstream, destination: Destination) -> None:
        _shape_cluster(
            upstream,
            destination.conf.get(TimeoutConf) or TimeoutConf(),
            is_http=destination.protocol.is_http,
        )


def _sending(outbound: Outbound, conf: Slots) -> TimeoutConf | None:
    """None: a service by tags that no policy speaks of."""
    return conf.get(TimeoutConf) or (None if outbound.resource is None else TimeoutConf())


def _for_all(inbound: Inbound) -> TimeoutConf | None:
    """None: policies speak only of some clients, and everything else keeps the generous limits."""
    conf = inbound.conf.get(TimeoutConf)
    if conf is None and inbound.conf.get(ConditionalTimeouts) is None:
        return TimeoutConf()
    return conf


def _shape_conditional(host: VirtualHost, conditional: ConditionalTimeouts) -> None:
    base = Route()
    base.CopyFrom(host.routes[0])
    del host.routes[:]
    for rule in conditional.rules:
        route = host.routes.add()
        route.CopyFrom(base)
        route.match.headers.extend(map(build_header_match, matches_of(rule.match)))
        _shape_written(route.route, _http(rule.conf))
    host.routes.append(base)


def _shape_headers_timeout(manager: HttpConnectionManager, conf: TimeoutConf) -> None:
    manager.request_headers_timeout.CopyFrom(
        duration(_or(_http(conf).request_headers_timeout, OFF))
    )


def _shape_action(action: RouteAction, conf: TimeoutConf) -> None:
    action.timeout.CopyFrom(duration(_or(_http(conf).request_timeout, REQUEST)))
    action.idle_timeout.CopyFrom(duration(_or(_http(conf).stream_idle_timeout, STREAM_IDLE)))


def _shape_written(action: RouteAction, http: TimeoutHttp) -> None:
    """Without defaults: what a condition leaves out is as for everybody."""
    if http.request_timeout is not None:
        action.timeout.CopyFrom(duration(http.request_timeout))
    if http.stream_idle_timeout is not None:
        action.idle_timeout.CopyFrom(duration(http.stream_idle_timeout))


def _shape_cluster(upstream: Upstream, conf: TimeoutConf, *, is_http: bool) -> None:
    """Differs from Kuma: the limits hold for grpc as they do for http and http2; Kuma leaves them
    out there, so that they do nothing."""
    upstream.cluster.connect_timeout.CopyFrom(duration(_or(conf.connection_timeout, CONNECTION)))
    if upstream.http is None or not is_http:
        return
    common, http = upstream.http.common_http_protocol_options, _http(conf)
    common.idle_timeout.CopyFrom(duration(_or(conf.idle_timeout, IDLE)))
    common.max_stream_duration.CopyFrom(duration(_or(http.max_stream_duration, OFF)))
    common.max_connection_duration.CopyFrom(duration(_or(http.max_connection_duration, OFF)))


def _http(conf: TimeoutConf) -> TimeoutHttp:
    return conf.http or TimeoutHttp()


def _or(written: timedelta | None, default: timedelta) -> timedelta:
    """Zero is written: it switches a timeout off."""
    return default if written is None else written


SHAPER = TimeoutShaper()
