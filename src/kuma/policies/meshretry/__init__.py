"""MeshRetry: which requests are sent again, how often, after how long."""

from kuma.policies.deprecations import deprecated_fields
from kuma.policies.meshretry.model import MeshRetrySpec
from kuma.policies.meshretry.validate import validate
from kuma.policies.synchronization import POLICY
from kuma.resources.kind import Kind, PolicyTraits, Scope

KIND = Kind(
    name="MeshRetry",
    plural="MeshRetries",
    scope=Scope.MESH,
    spec=MeshRetrySpec,
    path="meshretries",
    argument="meshretry",
    short="mr",
    display_plural="Mesh Retries",
    sync=POLICY,
    policy=PolicyTraits(order=1400, has_to=True),
    validate=validate,
    deprecations=deprecated_fields,
)
