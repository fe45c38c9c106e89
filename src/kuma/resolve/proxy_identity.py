"""The certificate of one proxy as its plan sees it: by which secrets, and under which SPIFFE ID."""

from kuma.kit.derived import derived
from kuma.plan.origin import Origin
from kuma.plan.proxy import Agent, Diagnostic, Identity
from kuma.plan.tls import Secrets
from kuma.resolve.endpoints import enabled_backend
from kuma.resolve.identities import identity_of
from kuma.resolve.secrets import mesh_secrets, secrets_of
from kuma.resolve.view import MeshView
from kuma.resolve.workload_identity import Known, NoSpiffeId, spiffe_id
from kuma.resources.kinds.mesh_identity import MESH_IDENTITY


def identity(view: MeshView, name: str) -> Identity | None:
    """Of its MeshIdentity, else by the authority of the mesh; None: it needs no certificate."""
    dataplane = view.dataplane(name)
    if dataplane is None:
        return None
    known, secrets = identity_of(view, dataplane.labels), secrets_of(view, dataplane.labels)
    if known is not None and secrets is not None:
        return Identity(secrets.identity, secrets.ca, known.kri, _agent(view, name, known, secrets))
    backend = enabled_backend(view)
    if backend is None:
        return None
    secrets = mesh_secrets(view)
    return Identity(secrets.identity, secrets.ca, backend.name)


def _agent(view: MeshView, name: str, known: Known, secrets: Secrets) -> Agent | None:
    if known.agent_timeout is None:
        return None
    socket = view.machine(name).spire_socket or view.spire_socket
    return Agent(secrets.agent, socket, known.agent_timeout)


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
