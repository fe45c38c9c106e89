"""MeshIdentity: who proxies are, by SPIFFE ID, and who issues their certificates.

`model` is what users write, `validate` what is wrong with it. What follows from it for a proxy is
resolution's.
Source: https://kuma.io/docs/2.14.x/policies/meshidentity
"""

from kuma.resources.kind import Kind, Scope, Sync
from kuma.resources.kinds.mesh_identity.model import MeshIdentitySpec, MeshIdentityStatus
from kuma.resources.kinds.mesh_identity.validate import validate

__all__ = ["MESH_IDENTITY", "MeshIdentitySpec", "MeshIdentityStatus"]

MESH_IDENTITY = Kind(
    name="MeshIdentity",
    plural="MeshIdentities",
    display_plural="Mesh Identities",
    scope=Scope.MESH,
    spec=MeshIdentitySpec,
    status=MeshIdentityStatus,
    path="meshidentities",
    argument="meshidentity",
    short="mid",
    sync=Sync.GLOBAL_TO_ZONES | Sync.ZONE_TO_GLOBAL,
    validate=validate,
)
