"""What MeshTimeouts say of an inbound: for every connection, and under a condition."""

from collections.abc import Iterable

from kuma.policies.meshtimeout.model import ConditionalTimeout, ConditionalTimeouts, TimeoutConf
from kuma.resolve.inbound_rules import distinct, merge_rules, rules_by_client
from kuma.resolve.placement import InboundRules


def place_timeouts(rules: InboundRules) -> tuple[object, ...]:
    clients = rules_by_client(rules.by_match)
    outcomes = [(each.match, merge_rules(each.rules, TimeoutConf)) for each in clients]
    unconditional = outcomes[-1][1]
    made = [
        ConditionalTimeout(match, conf)
        for match, conf in distinct(outcomes)
        if match is not None and conf is not None
    ]
    found: Iterable[object] = (unconditional, ConditionalTimeouts(tuple(made)) if made else None)
    return tuple(each for each in found if each is not None)
