"""The merged rule of MeshTCPRoutes -> where connections go."""

from kuma.policies.meshtcproute.model import Rule as RouteRule
from kuma.resolve.placement import Rule
from kuma.resources.target_ref import BackendRef


def draft_backends(rule: Rule) -> tuple[BackendRef, ...]:
    return (rule.conf.default.backend_refs or ()) if isinstance(rule.conf, RouteRule) else ()
