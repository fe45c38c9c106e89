"""MeshFaultInjection: requests that fail, wait or are answered slowly, on purpose."""

from kuma.policies.meshfaultinjection.deprecations import deprecated_clients
from kuma.policies.meshfaultinjection.model import MeshFaultInjectionSpec
from kuma.policies.meshfaultinjection.validate import validate
from kuma.policies.synchronization import POLICY
from kuma.resources.kind import Kind, PolicyTraits, Scope

KIND = Kind(
    name="MeshFaultInjection",
    plural="MeshFaultInjections",
    scope=Scope.MESH,
    spec=MeshFaultInjectionSpec,
    path="meshfaultinjections",
    argument="meshfaultinjection",
    short="mfi",
    display_plural="Mesh Fault Injections",
    sync=POLICY,
    policy=PolicyTraits(order=800, has_to=True, has_from=True, has_rules=True),
    validate=validate,
    deprecations=deprecated_clients,
)
