"""MeshMetric: what is measured of proxies and their applications, and who gets it."""

from kuma.policies.meshmetric.deprecations import deprecated_settings
from kuma.policies.meshmetric.model import MeshMetricSpec, backend_refs
from kuma.policies.meshmetric.validate import validate
from kuma.policies.synchronization import POLICY
from kuma.resources.kind import Kind, PolicyTraits, Scope
from kuma.resources.kinds.conditions import ConditionsStatus

KIND = Kind(
    name="MeshMetric",
    plural="MeshMetrics",
    scope=Scope.MESH,
    spec=MeshMetricSpec,
    status=ConditionsStatus,
    path="meshmetrics",
    argument="meshmetric",
    short="mm",
    display_plural="Mesh Metrics",
    sync=POLICY,
    policy=PolicyTraits(order=1500),
    validate=validate,
    deprecations=deprecated_settings,
    backend_refs=backend_refs,
)
