"""Mesh: the boundary within which services see each other, and its settings.

Source: https://kuma.io/docs/2.14.x/production/mesh
"""

from kuma.resources.dns_names import deprecated_name
from kuma.resources.kind import Kind, Scope, Sync
from kuma.resources.kinds.mesh.model import (
    CertificateAuthorityBackend,
    MeshServicesMode,
    MeshSpec,
    Mtls,
    MtlsMode,
)
from kuma.resources.kinds.mesh.validate import validate_mesh

__all__ = [
    "MESH",
    "CertificateAuthorityBackend",
    "MeshServicesMode",
    "MeshSpec",
    "Mtls",
    "MtlsMode",
]

MESH = Kind(
    name="Mesh",
    plural="Meshes",
    scope=Scope.GLOBAL,
    spec=MeshSpec,
    path="meshes",
    argument="mesh",
    short="m",
    spec_at_root=True,
    sync=Sync.GLOBAL_TO_ZONES,
    validate=validate_mesh,
    deprecations=deprecated_name,
)
