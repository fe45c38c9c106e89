"""Where merged circuit breakers ride in a plan."""

from kuma.policies.meshcircuitbreaker import KIND
from kuma.policies.meshcircuitbreaker.inbound import place_circuit_breaker
from kuma.policies.meshcircuitbreaker.model import CircuitBreakerConf
from kuma.resolve.placement import Placement

PLACEMENT = Placement(
    kind=KIND,
    conf=CircuitBreakerConf,
    on_destination=True,
    on_inbound=place_circuit_breaker,
)
