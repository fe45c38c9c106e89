"""Destinations outside of the mesh are about what no outbound of a proxy is for."""

from kuma.policies.meshpassthrough import KIND
from kuma.policies.meshpassthrough.model import PassthroughConf
from kuma.resolve.placement import Placement, Rule


def place_passthrough(rule: Rule) -> tuple[object, ...]:
    return (rule.conf,)


PLACEMENT = Placement(kind=KIND, conf=PassthroughConf, on_passthrough=place_passthrough)
