"""Warnings about what is accepted still, in Kuma's words."""

from kuma.policies.deprecations import deprecated_target
from kuma.policies.meshhealthcheck.model import MeshHealthCheckSpec
from kuma.resources.resource import Resource

_PANIC_THRESHOLD = (
    "healthyPanicThreshold for 'to[].default' is deprecated. The setting has been moved to "
    "MeshCircuitBreaker policy, please use MeshCircuitBreaker policy instead."
)


def deprecated_settings(resource: Resource[MeshHealthCheckSpec]) -> tuple[str, ...]:
    thresholds = [item.default.healthy_panic_threshold for item in resource.spec.to or ()]
    return (
        *deprecated_target(resource.spec.target_ref),
        *(_PANIC_THRESHOLD for each in thresholds if each is not None),
    )
