"""MeshLoadBalancingStrategy: which endpoint gets the next request."""

from kuma.policies.meshloadbalancingstrategy.deprecations import deprecated_settings
from kuma.policies.meshloadbalancingstrategy.model import MeshLoadBalancingStrategySpec
from kuma.policies.meshloadbalancingstrategy.validate import validate
from kuma.policies.synchronization import POLICY
from kuma.resources.kind import Kind, PolicyTraits, Scope

KIND = Kind(
    name="MeshLoadBalancingStrategy",
    plural="MeshLoadBalancingStrategies",
    scope=Scope.MESH,
    spec=MeshLoadBalancingStrategySpec,
    path="meshloadbalancingstrategies",
    argument="meshloadbalancingstrategy",
    short="mlbs",
    display_plural="Mesh Load Balancing Strategies",
    sync=POLICY,
    policy=PolicyTraits(order=400, has_to=True),
    validate=validate,
    deprecations=deprecated_settings,
)
