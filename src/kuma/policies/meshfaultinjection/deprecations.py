"""Warnings about what is accepted still, in Kuma's words."""

from kuma.policies.deprecations import deprecated_target
from kuma.policies.meshfaultinjection.model import MeshFaultInjectionSpec
from kuma.resources.resource import Resource

_FROM = "'from' field is deprecated, use 'rules' with SPIFFE-based 'matches' instead"


def deprecated_clients(resource: Resource[MeshFaultInjectionSpec]) -> tuple[str, ...]:
    spec = resource.spec
    return (*((_FROM,) if spec.from_ else ()), *deprecated_target(spec.target_ref))
