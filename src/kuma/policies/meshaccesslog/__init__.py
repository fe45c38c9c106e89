"""MeshAccessLog: a line, or a record, of each request and connection."""

from kuma.policies.meshaccesslog.deprecations import deprecated_settings
from kuma.policies.meshaccesslog.model import MeshAccessLogSpec, backend_refs
from kuma.policies.meshaccesslog.validate import validate
from kuma.policies.synchronization import POLICY
from kuma.resources.kind import Kind, PolicyTraits, Scope
from kuma.resources.kinds.conditions import ConditionsStatus

KIND = Kind(
    name="MeshAccessLog",
    plural="MeshAccessLogs",
    scope=Scope.MESH,
    spec=MeshAccessLogSpec,
    status=ConditionsStatus,
    path="meshaccesslogs",
    argument="meshaccesslog",
    short="mal",
    display_plural="Mesh Access Logs",
    sync=POLICY,
    policy=PolicyTraits(order=600, has_to=True, has_from=True, has_rules=True, from_as_rules=True),
    validate=validate,
    deprecations=deprecated_settings,
    backend_refs=backend_refs,
)
