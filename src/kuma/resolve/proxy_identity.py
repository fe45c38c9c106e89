"""The certificate of one proxy as its plan sees it: by which secrets, and under which SPIFFE ID."""

from kuma.kit.derived import derived
from kuma.plan import names
from kuma.plan.origin import Origin
from kuma.plan.proxy import Diagnostic, Identity
from kuma.resolve.endpoints import enabled_backend
from kuma.resolve.trust import ca_secret
from kuma.resolve.view import MeshView
from kuma.resolve.workload_identity import NoSpiffeId, identity_of, spiffe_id
from kuma.resources.kinds.mesh_identity import MESH_IDENTITY


def identity(view: MeshView, name: str) -> Identity | None:
    """Of its MeshIdentity, else by the authority of the mesh; None: it needs no certificate."""
    dataplane, mesh = view.dataplane(name), view.mesh_name
    if dataplane is None:
        return None
    if known := identity_of(view, dataplane.labels):
        return Identity(known.kri, ca_secret(view), known.kri)
    backend = enabled_backend(view)
    if backend is None:
        return None
    return Identity(names.identity_secret(mesh), ca_secret(view), backend.name)


@derived
def spiffe_id_of(view: MeshView, name: str) -> str | None:
    """By the Dataplane's MeshIdentity; None: it has none, or one that gives it no ID."""
    dataplane = view.dataplane(name)
    known = None if dataplane is None else identity_of(view, dataplane.labels)
    try:
        return None if dataplane is None or known is None else spiffe_id(known, dataplane.labels)
    except NoSpiffeId:
        return None


def identity_diagnostics(view: MeshView, name: str) -> tuple[Diagnostic, ...]:
    """Why a proxy with a MeshIdentity has no SPIFFE ID, and so no certificate."""
    dataplane = view.dataplane(name)
    known = None if dataplane is None else identity_of(view, dataplane.labels)
    if dataplane is None or known is None:
        return ()
    try:
        spiffe_id(known, dataplane.labels)
    except NoSpiffeId as error:
        origin = Origin(MESH_IDENTITY.name, view.mesh_name, known.name)
        return (Diagnostic(origin, "spec.spiffeID.path", f'Dataplane "{name}": {error}'),)
    return ()
