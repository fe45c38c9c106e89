"""InboundFaults -> filters that come over RDS, chosen for each request by its client.

Differs from Kuma, where faults are part of the listener, and who the client is comes from a header
that anybody can send; here it comes from the certificate, where the mesh has mutual TLS.
Source: https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/fault_filter
"""

from decimal import Decimal

from envoy.config.route.v3.route_components_pb2 import VirtualHost
from envoy.extensions.filters.common.fault.v3.fault_pb2 import FaultDelay, FaultRateLimit
from envoy.extensions.filters.http.fault.v3.fault_pb2 import FaultAbort, HTTPFault
from envoy.type.v3.percent_pb2 import FractionalPercent

from kuma.envoy import http_filters
from kuma.envoy.client import matches_of, matches_of_tags
from kuma.envoy.filter_by_client import ForClient, build_filter, choose_filters
from kuma.envoy.message import duration
from kuma.envoy.shaper import InboundChain, Shaper
from kuma.plan.proxy import Inbound
from kuma.policies.meshfaultinjection.model import (
    ClientFaults,
    Fault,
    InboundFaults,
    parse_bandwidth,
)
from kuma.resources.spec import parse_decimal

_FILTER = build_filter(http_filters.FAULT)


class FaultInjectionShaper(Shaper):
    kind = "MeshFaultInjection"

    def inbound_chain(self, chain: InboundChain) -> None:
        if chain.http is None:
            return
        chain.http.filters.append(_FILTER)
        clients = _clients(chain.inbound)
        chain.inspects_tls |= any(each.match and each.match.sni for each in clients)

    def inbound_routes(self, host: VirtualHost, inbound: Inbound) -> None:
        if clients := _clients(inbound):
            choose_filters(host, http_filters.FAULT, (_case(each, inbound) for each in clients))


def _clients(inbound: Inbound) -> tuple[ClientFaults, ...]:
    faults = inbound.conf.get(InboundFaults)
    return faults.clients if faults is not None else ()


def _case(client: ClientFaults, inbound: Inbound) -> ForClient:
    matches = [] if client.match is None else matches_of(client.match)
    matches += matches_of_tags(client.tags, inbound)
    filters = [made for fault in client.faults if (made := _filter(fault)) != HTTPFault()]
    return ForClient(tuple(matches), tuple(filters))


def _filter(fault: Fault) -> HTTPFault:
    """A delay of nothing, which Envoy refuses, is left out."""
    made = HTTPFault()
    if (delay := fault.delay) is not None and delay.value:
        made.delay.CopyFrom(
            FaultDelay(fixed_delay=duration(delay.value), percentage=_percentage(delay.percentage))
        )
    if (abort := fault.abort) is not None:
        made.abort.CopyFrom(
            FaultAbort(http_status=abort.http_status, percentage=_percentage(abort.percentage))
        )
    if (bandwidth := fault.response_bandwidth) is not None:
        limit = FaultRateLimit.FixedLimit(limit_kbps=parse_bandwidth(bandwidth.limit) or 1)
        made.response_rate_limit.CopyFrom(
            FaultRateLimit(fixed_limit=limit, percentage=_percentage(bandwidth.percentage))
        )
    return made


def _percentage(written: int | str) -> FractionalPercent:
    share = (parse_decimal(written) or Decimal(0)) * 10_000
    return FractionalPercent(numerator=round(share), denominator=FractionalPercent.MILLION)


SHAPER = FaultInjectionShaper()
