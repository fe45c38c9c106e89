"""MeshTrafficPermission: which clients may reach which services."""

from kuma.policies.meshtrafficpermission.inbound import place_permissions
from kuma.policies.meshtrafficpermission.model import ActionConf, MeshTrafficPermissionSpec
from kuma.policies.meshtrafficpermission.validate import validate
from kuma.policies.synchronization import POLICY
from kuma.resolve.placement import Placement
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
)

PLACEMENT = Placement(
    kind=KIND,
    conf=ActionConf,
    on_inbound=place_permissions,
    only_with_tls=True,
)
