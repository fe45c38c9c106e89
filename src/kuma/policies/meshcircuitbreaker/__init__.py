"""MeshCircuitBreaker: limits on what a destination is sent, and which of its endpoints are left out."""

from kuma.policies.deprecations import deprecated_fields
from kuma.policies.meshcircuitbreaker.model import MeshCircuitBreakerSpec
from kuma.policies.meshcircuitbreaker.validate import validate
from kuma.policies.synchronization import POLICY
from kuma.resources.kind import Kind, PolicyTraits, Scope

KIND = Kind(
    name="MeshCircuitBreaker",
    plural="MeshCircuitBreakers",
    scope=Scope.MESH,
    spec=MeshCircuitBreakerSpec,
    path="meshcircuitbreakers",
    argument="meshcircuitbreaker",
    short="mcb",
    display_plural="Mesh Circuit Breakers",
    sync=POLICY,
    policy=PolicyTraits(order=1300, has_to=True, has_from=True, has_rules=True, from_as_rules=True),
    validate=validate,
    deprecations=deprecated_fields,
)
