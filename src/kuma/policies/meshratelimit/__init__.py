"""MeshRateLimit: how many requests and connections a workload gets."""

from kuma.policies.meshratelimit.deprecations import deprecated_limits
from kuma.policies.meshratelimit.model import MeshRateLimitSpec
from kuma.policies.meshratelimit.validate import validate
from kuma.policies.synchronization import POLICY
from kuma.resources.kind import Kind, PolicyTraits, Scope

KIND = Kind(
    name="MeshRateLimit",
    plural="MeshRateLimits",
    scope=Scope.MESH,
    spec=MeshRateLimitSpec,
    path="meshratelimits",
    argument="meshratelimit",
    short="mrl",
    display_plural="Mesh Rate Limits",
    sync=POLICY,
    policy=PolicyTraits(order=900, has_to=True, has_from=True, has_rules=True, from_as_rules=True),
    validate=validate,
    deprecations=deprecated_limits,
)
