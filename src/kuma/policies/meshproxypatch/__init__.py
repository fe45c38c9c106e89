"""MeshProxyPatch: changes to Envoy's configuration itself, after everything else was made."""

from kuma.policies.deprecations import deprecated_fields
from kuma.policies.meshproxypatch.model import MeshProxyPatchSpec
from kuma.policies.meshproxypatch.validate import validate
from kuma.policies.synchronization import POLICY
from kuma.resources.kind import Kind, PolicyTraits, Scope

KIND = Kind(
    name="MeshProxyPatch",
    plural="MeshProxyPatches",
    scope=Scope.MESH,
    spec=MeshProxyPatchSpec,
    path="meshproxypatches",
    argument="meshproxypatch",
    short="mpp",
    display_plural="Mesh Proxy Patches",
    sync=POLICY,
    policy=PolicyTraits(order=9999),
    validate=validate,
    deprecations=deprecated_fields,
)
