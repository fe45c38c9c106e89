"""What MeshCircuitBreakers say of an inbound."""

from kuma.policies.meshcircuitbreaker.model import CircuitBreakerConf
from kuma.resolve.inbound_rules import merge_unconditional
from kuma.resolve.placement import InboundRules


def place_circuit_breaker(rules: InboundRules) -> tuple[object, ...]:
    conf = merge_unconditional(rules.by_match, CircuitBreakerConf)
    return () if conf is None else (conf,)
