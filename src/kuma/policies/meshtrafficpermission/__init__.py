"""MeshTrafficPermission: which clients may reach which services."""

from kuma.policies.meshtrafficpermission.deprecations import deprecated_clients
from kuma.policies.meshtrafficpermission.model import MeshTrafficPermissionSpec
from kuma.policies.meshtrafficpermission.validate import validate
from kuma.policies.synchronization import POLICY
from kuma.resources.kind import Kind, PolicyTraits, Scope

KIND = Kind(
    name="MeshTrafficPermission",
    plural="MeshTrafficPermissions",
    scope=Scope.MESH,
    spec=MeshTrafficPermissionSpec,
    path="meshtrafficpermissions",
    argument="meshtrafficpermission",
    short="mtp",
    display_plural="Mesh Traffic Permissions",
    sync=POLICY,
    policy=PolicyTraits(order=1100, has_from=True, has_rules=True),
    validate=validate,
    deprecations=deprecated_clients,
)
