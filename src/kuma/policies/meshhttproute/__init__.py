"""MeshHTTPRoute: where requests go by path, method, headers and query, and what changes on the way."""

from kuma.policies.deprecations import deprecated_fields
from kuma.policies.meshhttproute.model import MeshHTTPRouteSpec
from kuma.policies.meshhttproute.validate import validate
from kuma.policies.synchronization import POLICY
from kuma.resources.kind import Kind, PolicyTraits, Scope

KIND = Kind(
    name="MeshHTTPRoute",
    plural="MeshHTTPRoutes",
    scope=Scope.MESH,
    spec=MeshHTTPRouteSpec,
    path="meshhttproutes",
    argument="meshhttproute",
    short="mhttpr",
    display_plural="Mesh HTTP Routes",
    sync=POLICY,
    policy=PolicyTraits(order=100, has_to=True),
    validate=validate,
    deprecations=deprecated_fields,
)
