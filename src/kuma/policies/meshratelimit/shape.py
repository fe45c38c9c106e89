"""RateLimitConf -> a filter for connections, and for requests one that comes over RDS.

All that an inbound gets counts together, by whichever of its chains it comes.
Differs from Kuma, where each chain of a permissive inbound counts for itself; where a change of a
limit for requests waits for new connections; and where the server name that a client asked for
does not count.
Source: https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/local_rate_limit_filter
"""

from envoy.config.core.v3.base_pb2 import RuntimeFractionalPercent
from envoy.config.listener.v3.listener_components_pb2 import Filter
from envoy.config.route.v3.route_components_pb2 import VirtualHost
from envoy.extensions.filters.http.local_ratelimit.v3.local_rate_limit_pb2 import (
    LocalRateLimit as HttpRateLimit,
)
from envoy.extensions.filters.network.local_ratelimit.v3.local_rate_limit_pb2 import (
    LocalRateLimit as TcpRateLimit,
)
from envoy.type.v3.http_status_pb2 import StatusCode
from envoy.type.v3.percent_pb2 import FractionalPercent
from envoy.type.v3.token_bucket_pb2 import TokenBucket

from kuma.envoy import http_filters
from kuma.envoy.client import matches_of
from kuma.envoy.filter_by_client import ForClient, build_filter, choose_filters
from kuma.envoy.headers import build_additions
from kuma.envoy.message import duration, pack, uint
from kuma.envoy.shaper import InboundChain, Shaper
from kuma.plan.proxy import Inbound
from kuma.policies.meshratelimit.model import (
    ClientRateLimits,
    LocalHttp,
    LocalTcp,
    OnRateLimit,
    Rate,
    RateLimitConf,
)

NETWORK_RATE_LIMIT = "envoy.filters.network.local_ratelimit"
HTTP_STATISTICS, TCP_STATISTICS = "rate_limit", "tcp_rate_limit"
LOWEST_STATUS = 400

_FILTER = build_filter(http_filters.RATE_LIMIT)
_ALWAYS = RuntimeFractionalPercent(default_value=FractionalPercent(numerator=100))


class RateLimitShaper(Shaper):
    kind = "MeshRateLimit"

    def inbound_chain(self, chain: InboundChain) -> None:
        tcp = _tcp(chain.inbound)
        if tcp is not None and tcp.connection_rate is not None and not tcp.disabled:
            chain.network_filters.insert(0, _limit_connections(tcp.connection_rate, chain.inbound))
        if chain.http is None:
            return
        chain.http.filters.append(_FILTER)
        clients = chain.inbound.conf.get(ClientRateLimits)
        if clients is not None:
            chain.inspects_tls |= any(each.match.sni is not None for each in clients.limits)

    def inbound_routes(self, host: VirtualHost, inbound: Inbound) -> None:
        cases = _cases(inbound)
        if any(case.filters for case in cases):
            choose_filters(host, http_filters.RATE_LIMIT, cases)


def _cases(inbound: Inbound) -> list[ForClient]:
    clients = inbound.conf.get(ClientRateLimits) or ClientRateLimits(())
    made = [
        ForClient(tuple(matches_of(each.match)), _limit_requests(each.http))
        for each in clients.limits
    ]
    conf = inbound.conf.get(RateLimitConf)
    if conf is not None and conf.local is not None and conf.local.http is not None:
        made.append(ForClient((), _limit_requests(conf.local.http)))
    return made


def _limit_requests(conf: LocalHttp) -> tuple[HttpRateLimit, ...]:
    if conf.disabled or conf.request_rate is None:
        return ()
    limit = HttpRateLimit(
        stat_prefix=HTTP_STATISTICS,
        token_bucket=_bucket(conf.request_rate),
        filter_enabled=_ALWAYS,
        filter_enforced=_ALWAYS,
    )
    _shape_answer(limit, conf.on_rate_limit or OnRateLimit())
    return (limit,)


def _shape_answer(limit: HttpRateLimit, conf: OnRateLimit) -> None:
    limit.response_headers_to_add.extend(build_additions(conf.headers))
    if (conf.status or 0) >= LOWEST_STATUS and conf.status in StatusCode.values():
        limit.status.code = StatusCode.ValueType(conf.status)


def _tcp(inbound: Inbound) -> LocalTcp | None:
    conf = inbound.conf.get(RateLimitConf)
    return conf.local.tcp if conf is not None and conf.local is not None else None


def _limit_connections(rate: Rate, inbound: Inbound) -> Filter:
    limit = TcpRateLimit(
        stat_prefix=TCP_STATISTICS,
        token_bucket=_bucket(rate),
        share_key=inbound.listener_name,
    )
    return Filter(name=NETWORK_RATE_LIMIT, typed_config=pack(limit))


def _bucket(rate: Rate) -> TokenBucket:
    return TokenBucket(
        max_tokens=rate.num,
        tokens_per_fill=uint(rate.num),
        fill_interval=duration(rate.interval),
    )


SHAPER = RateLimitShaper()
