"""MeshRetry: which requests are sent again, how often, after how long."""

from kuma.policies.meshretry.model import MeshRetrySpec, RetryConf
from kuma.policies.meshretry.validate import validate
from kuma.policies.synchronization import POLICY
from kuma.resolve.placement import Placement
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
)

PLACEMENT = Placement(
    kind=KIND,
    conf=RetryConf,
    on_outbound=True,
    on_route=True,
)
