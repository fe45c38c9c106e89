"""MeshAccessLog: a line, or a record, of each request and connection."""

from kuma.policies.deprecations import deprecated_fields
from kuma.policies.meshaccesslog.model import MeshAccessLogSpec
from kuma.policies.meshaccesslog.validate import validate
from kuma.policies.synchronization import POLICY
from kuma.resources.kind import Kind, PolicyTraits, Scope

KIND = Kind(
    name="MeshAccessLog",
    plural="MeshAccessLogs",
    scope=Scope.MESH,
    spec=MeshAccessLogSpec,
    path="meshaccesslogs",
    argument="meshaccesslog",
    short="mal",
    display_plural="Mesh Access Logs",
    sync=POLICY,
    policy=PolicyTraits(order=600, has_to=True, has_from=True, has_rules=True, from_as_rules=True),
    validate=validate,
    deprecations=deprecated_fields,
)
