"""Which certificate a proxy should have, who signs it, and whom the proxies of a mesh trust.

MeshIdentity of the proxy, else the mesh -> authority -> Wanted       the proxy's own
MeshTrusts + the authority of the mesh -> Trusted                     one for all of a mesh
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from kuma.identity import builtin
from kuma.identity.bundled import find_pair, holds_certificate
from kuma.identity.errors import IdentityError, NoIdentity
from kuma.identity.issuer import DEFAULT_LIFETIME, Workload, workload_subject
from kuma.identity.key_pair import CertificateAuthority, KeyPair, load_authority
from kuma.identity.provided import load_provided
from kuma.identity.secret_source import new_secret
from kuma.kit.derived import derived
from kuma.pipeline.certificates import NEVER, Wanted
from kuma.resolve.endpoints import enabled_backend
from kuma.resolve.identities import identity_of
from kuma.resolve.proxy_identity import spiffe_id_of
from kuma.resolve.trust import trust_domains
from kuma.resolve.view import MeshView
from kuma.resolve.workload_identity import Known
from kuma.resources.kinds.mesh import CertificateAuthorityBackend
from kuma.resources.kinds.mesh.ca_backends import PROVIDED, parse_expiration
from kuma.resources.kinds.mesh_identity import MESH_IDENTITY, MeshIdentitySpec
from kuma.resources.kinds.mesh_identity.model import Bundled
from kuma.resources.kinds.mesh_trust import MESH_TRUST, MeshTrustSpec
from kuma.resources.meta import ResourceKey
from kuma.resources.resource import AnyResource

Trusted = tuple[tuple[str, bytes], ...]
"""(trust domain, certificates in PEM), sorted by domain."""

SPREAD = timedelta(seconds=2)
"""Longer than it takes until all proxies have heard of a change: what others must know before a proxy
may do it is told that much earlier."""

_LONG_AGO = datetime.fromtimestamp(0, UTC)


@derived
def wanted_certificate(view: MeshView, name: str) -> Wanted | None:
    """None without mutual TLS, without a Dataplane, or for one that has no identity. An authority
    that is missing or broken still gives a wish, with an empty root, so that issuing fails where it
    is retried and told."""
    known = identity_of_proxy(view, name)
    return _wanted_of_mesh(view, name) if known is None else _wanted_of_identity(view, name, known)


def trusted_from(view: MeshView, name: str) -> datetime | None:
    """When all will have heard that the authority of the proxy's MeshIdentity is trusted; None: they
    have, or nobody is told by the control plane."""
    known = identity_of_proxy(view, name)
    return None if known is None else _trusted_from(view, known.name)


def identity_of_proxy(view: MeshView, name: str) -> Known | None:
    dataplane = view.dataplane(name)
    return None if dataplane is None else identity_of(view, dataplane.labels)


def _wanted_of_identity(view: MeshView, name: str, known: Known) -> Wanted | None:
    spiffe_id, bundled = spiffe_id_of(view, name), _bundled(view, known.name)
    if spiffe_id is None or known.is_by_agent:
        return None
    parameters = bundled.certificate_parameters if bundled is not None else None
    try:
        root = identity_authority(view, known.name).bundle_pem
    except IdentityError:
        root = b""
    return Wanted(
        backend=known.kri,
        root_pem=root,
        subject=Workload(spiffe_id),
        lifetime=(parameters.expiry if parameters is not None else None) or DEFAULT_LIFETIME,
    )


def _wanted_of_mesh(view: MeshView, name: str) -> Wanted | None:
    dataplane, backend = view.dataplane(name), enabled_backend(view)
    if dataplane is None or backend is None:
        return None
    tag_sets = dataplane.spec.tag_sets()
    try:
        subject = workload_subject(view.mesh_name, tag_sets, labels=dataplane.labels)
    except NoIdentity:
        return None
    rotation = backend.dp_cert.rotation if backend.dp_cert else None
    lifetime = parse_expiration(rotation.expiration) if rotation and rotation.expiration else None
    return Wanted(
        backend=backend.name,
        root_pem=_mesh_bundle(view) or b"",
        subject=subject,
        lifetime=lifetime or DEFAULT_LIFETIME,
    )


@derived
def trust(view: MeshView) -> Trusted:
    """Empty: there is nobody to trust. The authority of the mesh is trusted with the identities that
    begin with the name of the mesh."""
    found = {each.name: [pem.encode() for pem in each.pems] for each in trust_domains(view)}
    if (bundle := _mesh_bundle(view)) is not None:
        found.setdefault(view.mesh_name, []).append(bundle)
    return tuple((name, b"\n".join(found[name])) for name in sorted(found))


@derived
def _mesh_bundle(view: MeshView) -> bytes | None:
    """None while the mesh has no usable authority."""
    try:
        return mesh_authority(view).bundle_pem
    except IdentityError:
        return None


@derived
def mesh_authority(view: MeshView) -> CertificateAuthority:
    """Raises IdentityError."""
    backend = enabled_backend(view)
    if backend is None:
        raise NoIdentity(f'mesh "{view.mesh_name}" has no CA backend in force')
    return load_authority(_key_pair(view, backend))


def _key_pair(view: MeshView, backend: CertificateAuthorityBackend) -> KeyPair:
    mesh = view.mesh_name
    if backend.type == PROVIDED:
        return load_provided(backend.provided_conf(), mesh=mesh, secrets=_SecretsOf(view))
    names = builtin.cert_secret_key(mesh, backend.name), builtin.key_secret_key(mesh, backend.name)
    cert, key = (view.secret(each.name) for each in names)
    if cert is None or key is None:
        raise NoIdentity(f'the secrets of the CA backend "{backend.name}" are missing')
    return KeyPair(cert.reveal, key)


@derived
def identity_authority(view: MeshView, identity: str) -> CertificateAuthority:
    """Of a MeshIdentity, by its name. Raises IdentityError."""
    return load_authority(_pair_of(view, identity))


def _pair_of(view: MeshView, identity: str) -> KeyPair:
    """Raises IdentityError."""
    resource, bundled = _resource(view, identity), _bundled(view, identity)
    if resource is None or bundled is None:
        raise NoIdentity(f'the MeshIdentity "{identity}" has no authority')
    name, secrets = resource.display_name, _SecretsOf(view)
    return find_pair(bundled, view.mesh_name, name=name, secrets=secrets)


@derived
def _trusted_from(view: MeshView, identity: str) -> datetime | None:
    bundled = _bundled(view, identity)
    try:
        pair = _pair_of(view, identity)
    except IdentityError:
        return None
    known = [
        trust.meta.modification_time
        for trust in view.policies(MESH_TRUST.name)
        if isinstance(trust.spec, MeshTrustSpec) and holds_certificate(trust.spec.pems, pair)
    ]
    if known:
        return min(known) + SPREAD
    return NEVER if bundled is not None and bundled.creates_trust else None


def _bundled(view: MeshView, identity: str) -> Bundled | None:
    resource = _resource(view, identity)
    spec = resource.spec if resource is not None else None
    return spec.bundled if isinstance(spec, MeshIdentitySpec) else None


def _resource(view: MeshView, identity: str) -> AnyResource | None:
    found = view.policies(MESH_IDENTITY.name)
    return next((each for each in found if each.name == identity), None)


class _SecretsOf:
    """The secrets of a view's mesh, in the form in which identities read them."""

    def __init__(self, view: MeshView) -> None:
        self._view = view

    def find(self, key: ResourceKey) -> AnyResource | None:
        data = self._view.secret(key.name) if key.mesh == self._view.mesh_name else None
        return None if data is None else new_secret(key, data.reveal, now=_LONG_AGO)

    def list(self, kind: str, mesh: str | None = None) -> Sequence[AnyResource]:
        return ()
