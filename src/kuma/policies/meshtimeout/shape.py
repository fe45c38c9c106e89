"""TimeoutConf -> timeouts of listeners, routes and clusters.

A timeout that a policy leaves out has a default as soon as the policy applies; an inbound and a
cluster have the defaults even without any policy. Source: seen in Kuma's configuration.
"""

from datetime import timedelta

from envoy.config.route.v3.route_components_pb2 import Route, RouteAction
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)

from kuma.envoy.message import duration
from kuma.envoy.shaper import InboundChain, OutboundChain, Shaper, Upstream
from kuma.plan.proxy import Destination, Inbound, Outbound
from kuma.plan.route import HttpRoute
from kuma.policies.meshtimeout.model import TimeoutConf, TimeoutHttp

CONNECTION = timedelta(seconds=5)
IDLE = timedelta(hours=1)
REQUEST = timedelta(seconds=15)
STREAM_IDLE = timedelta(minutes=30)
OFF = timedelta(0)


class TimeoutShaper(Shaper):
    def inbound_chain(self, chain: InboundChain) -> None:
        conf = chain.inbound.conf.get(TimeoutConf) or TimeoutConf()
        if chain.http is not None and chain.virtual_host is not None:
            _shape_headers_timeout(chain.http.manager, conf)
            for route in chain.virtual_host.routes:
                _shape_action(route.route, conf)
        if chain.tcp is not None:
            chain.tcp.idle_timeout.CopyFrom(duration(_or(conf.idle_timeout, IDLE)))

    def inbound_cluster(self, upstream: Upstream, inbound: Inbound) -> None:
        _shape_cluster(
            upstream,
            inbound.conf.get(TimeoutConf) or TimeoutConf(),
            is_http=inbound.protocol.is_http,
        )

    def outbound_chain(self, chain: OutboundChain) -> None:
        conf = chain.outbound.conf.get(TimeoutConf)
        if conf is None:
            return
        if chain.http is not None:
            _shape_headers_timeout(chain.http.manager, conf)
        if chain.tcp is not None:
            chain.tcp.idle_timeout.CopyFrom(duration(_or(conf.idle_timeout, IDLE)))

    def outbound_route(self, route: Route, plan: HttpRoute, outbound: Outbound) -> None:
        conf = plan.conf.get(TimeoutConf)
        if conf is not None and route.HasField("route"):
            _shape_action(route.route, conf)

    def destination_cluster(self, upstream: Upstream, destination: Destination) -> None:
        _shape_cluster(
            upstream,
            destination.conf.get(TimeoutConf) or TimeoutConf(),
            is_http=destination.protocol.is_http,
        )


def _shape_headers_timeout(manager: HttpConnectionManager, conf: TimeoutConf) -> None:
    manager.request_headers_timeout.CopyFrom(
        duration(_or(_http(conf).request_headers_timeout, OFF))
    )


def _shape_action(action: RouteAction, conf: TimeoutConf) -> None:
    action.timeout.CopyFrom(duration(_or(_http(conf).request_timeout, REQUEST)))
    action.idle_timeout.CopyFrom(duration(_or(_http(conf).stream_idle_timeout, STREAM_IDLE)))


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
