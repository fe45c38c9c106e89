"""MeshPassthrough: which destinations outside of the mesh a redirected workload may call."""

from kuma.policies.meshpassthrough.model import MeshPassthroughSpec
from kuma.policies.meshpassthrough.validate import validate
from kuma.policies.synchronization import POLICY
from kuma.resources.kind import Kind, PolicyTraits, Scope

KIND = Kind(
    name="MeshPassthrough",
    plural="MeshPassthroughs",
    scope=Scope.MESH,
    spec=MeshPassthroughSpec,
    path="meshpassthroughs",
    argument="meshpassthrough",
    short="mp",
    display_plural="Mesh Passthroughs",
    sync=POLICY,
    policy=PolicyTraits(order=500),
    validate=validate,
)
