"""Warnings about what is accepted still, in Kuma's words."""

from collections.abc import Iterator

from kuma.policies.deprecations import deprecated_target
from kuma.policies.meshloadbalancingstrategy.model import (
    HashPolicyType,
    LoadBalancer,
    LoadBalancerType,
    MeshLoadBalancingStrategySpec,
)
from kuma.resources.resource import Resource


def deprecated_settings(resource: Resource[MeshLoadBalancingStrategySpec]) -> tuple[str, ...]:
    """Hash policies inside of a balancer, where they have a place of their own."""
    found = [
        text
        for index, item in enumerate(resource.spec.to or ())
        if item.default.load_balancer is not None
        for text in _inside(item.default.load_balancer, f"spec.to[{index}].default")
    ]
    return (*found, *deprecated_target(resource.spec.target_ref))


def _inside(balancer: LoadBalancer, path: str) -> Iterator[str]:
    field, holder = {
        LoadBalancerType.RING_HASH: ("ringHash", balancer.ring_hash),
        LoadBalancerType.MAGLEV: ("maglev", balancer.maglev),
    }.get(balancer.type, ("", None))
    if holder is None or holder.hash_policies is None:
        return
    inside = f"{path}.loadBalancer.{field}.hashPolicies"
    yield f"configuration '{inside}' is deprecated, use '{path}.hashPolicies' instead"
    for index, each in enumerate(holder.hash_policies):
        if each.type is HashPolicyType.SOURCE_IP:
            yield f"SourceIP type for '{inside}[{index}].type' is deprecated, use Connection instead"
