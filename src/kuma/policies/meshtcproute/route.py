"""The merged rule of MeshTCPRoutes -> where connections go."""

from kuma.policies.meshtcproute.model import TcpRouteConf
from kuma.resolve.placement import Rule
from kuma.resources.target_ref import BackendRef


def draft_backends(rule: Rule) -> tuple[BackendRef, ...]:
    return (rule.conf.backend_refs or ()) if isinstance(rule.conf, TcpRouteConf) else ()
