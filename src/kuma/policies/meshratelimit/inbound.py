"""What MeshRateLimits say of an inbound: for every client, and for some.

A limit for some clients has rates of its own: what they send does not count for the others.
Connections are limited before anybody knows who comes, so only for all clients.
"""

from collections.abc import Iterable

from kuma.policies.meshratelimit.model import (
    ClientRateLimit,
    ClientRateLimits,
    LocalHttp,
    RateLimitConf,
)
from kuma.resolve.inbound_rules import distinct, merge_rules, rules_by_client
from kuma.resolve.placement import InboundRules


def place_rate_limits(rules: InboundRules) -> tuple[object, ...]:
    clients = rules_by_client(rules.by_match)
    outcomes = [(each.match, merge_rules(each.rules, RateLimitConf)) for each in clients]
    conf = outcomes[-1][1]
    limits = [
        ClientRateLimit(match, http)
        for match, http in distinct([(match, _http(conf)) for match, conf in outcomes])
        if match is not None and http is not None
    ]
    found: Iterable[object] = (conf, ClientRateLimits(tuple(limits)) if limits else None)
    return tuple(each for each in found if each is not None)


def _http(conf: RateLimitConf | None) -> LocalHttp | None:
    return conf.local.http if conf is not None and conf.local is not None else None
