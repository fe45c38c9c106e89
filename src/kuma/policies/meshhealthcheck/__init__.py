"""MeshHealthCheck: endpoints are asked whether they are well, and left out while they are not."""

from kuma.policies.meshhealthcheck.deprecations import deprecated_settings
from kuma.policies.meshhealthcheck.model import MeshHealthCheckSpec
from kuma.policies.meshhealthcheck.validate import validate
from kuma.policies.synchronization import POLICY
from kuma.resources.kind import Kind, PolicyTraits, Scope

KIND = Kind(
    name="MeshHealthCheck",
    plural="MeshHealthChecks",
    scope=Scope.MESH,
    spec=MeshHealthCheckSpec,
    path="meshhealthchecks",
    argument="meshhealthcheck",
    short="mhc",
    display_plural="Mesh Health Checks",
    sync=POLICY,
    policy=PolicyTraits(order=1200, has_to=True),
    validate=validate,
    deprecations=deprecated_settings,
)
