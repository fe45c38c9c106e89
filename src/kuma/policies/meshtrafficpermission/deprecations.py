"""Warnings about what is accepted still, in Kuma's words."""

from kuma.policies.deprecations import deprecated_target
from kuma.policies.meshtrafficpermission.model import MeshTrafficPermissionSpec
from kuma.resources.resource import Resource
from kuma.resources.target_ref import TargetRefKind

_FROM = (
    "'from' field is deprecated and will be removed in 3.0, use 'rules' with MeshIdentity "
    "(spiffeId) instead"
)
_SERVICE = (
    "MeshService value for 'from[].targetRef.kind' is deprecated, use MeshSubset with "
    "'kuma.io/service' instead"
)


def deprecated_clients(resource: Resource[MeshTrafficPermissionSpec]) -> tuple[str, ...]:
    items = resource.spec.from_ or ()
    services = [each for each in items if each.target_ref.kind is TargetRefKind.MESH_SERVICE]
    return (
        *((_FROM,) if items else ()),
        *(_SERVICE for _ in services),
        *deprecated_target(resource.spec.target_ref),
    )
