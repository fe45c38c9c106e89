"""MeshTCPRoute: where connections go."""

from kuma.policies.deprecations import deprecated_fields
from kuma.policies.meshtcproute.model import MeshTCPRouteSpec
from kuma.policies.meshtcproute.validate import validate
from kuma.policies.synchronization import POLICY
from kuma.resources.kind import Kind, PolicyTraits, Scope

KIND = Kind(
    name="MeshTCPRoute",
    plural="MeshTCPRoutes",
    scope=Scope.MESH,
    spec=MeshTCPRouteSpec,
    path="meshtcproutes",
    argument="meshtcproute",
    short="mtcpr",
    display_plural="Mesh TCP Routes",
    sync=POLICY,
    policy=PolicyTraits(order=200, has_to=True),
    validate=validate,
    deprecations=deprecated_fields,
)
