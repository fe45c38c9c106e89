"""What MeshTimeouts say of an inbound: for every connection, and under a condition."""

from kuma.policies.meshtimeout.model import ConditionalTimeout, ConditionalTimeouts, TimeoutConf
from kuma.resolve.inbound_rules import merge_unconditional
from kuma.resolve.merge import merge
from kuma.resolve.placement import InboundRules
from kuma.resources.match import Match


def place_timeouts(rules: InboundRules) -> tuple[object, ...]:
    unconditional = merge_unconditional(rules.by_match, TimeoutConf)
    under: dict[Match, list[TimeoutConf]] = {}
    for rule in rules.by_match:
        if rule.match is not None and isinstance(rule.conf, TimeoutConf):
            under.setdefault(rule.match, []).append(rule.conf)
    base = [] if unconditional is None else [unconditional]
    conditional = tuple(
        ConditionalTimeout(match, merge([*base, *confs])) for match, confs in under.items()
    )
    return (*base, *([ConditionalTimeouts(conditional)] if conditional else ()))
