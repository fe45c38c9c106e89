"""Rules of kinds that need more than resources to check: handed to the Writer."""

from collections.abc import Iterator
from typing import Any, cast

from kuma.identity.errors import BadKeyPair
from kuma.identity.key_pair import parse_certificates
from kuma.identity.provided import provided_violations
from kuma.resolve.workload_identity import NoSpiffeId, trust_domain_of
from kuma.resources import labels as well_known
from kuma.resources.admission import Finder, spec_as
from kuma.resources.kinds.mesh import MESH, MeshSpec
from kuma.resources.kinds.mesh.ca_backends import PROVIDED
from kuma.resources.kinds.mesh_identity import MESH_IDENTITY, MeshIdentitySpec
from kuma.resources.kinds.mesh_trust import MESH_TRUST, MeshTrustSpec
from kuma.resources.meta import ResourceKey
from kuma.resources.resource import Resource
from kuma.resources.violation import Violation, at


def check_provided_authorities(mesh: Resource[Any], view: Finder) -> tuple[Violation, ...]:
    """The certificate and key of each provided CA must be there, belong together and be a CA's,
    unless the mesh says `mtls.skipValidation`."""
    return tuple(_violations(mesh.name, cast("MeshSpec", mesh.spec), view))


def _violations(mesh: str, spec: MeshSpec, view: Finder) -> Iterator[Violation]:
    if spec.mtls is None or spec.mtls.skip_validation:
        return
    for index, backend in enumerate(spec.mtls.backends):
        if backend.type == PROVIDED:
            found = provided_violations(backend.provided_conf(), mesh=mesh, secrets=view)
            yield from at(f"mtls.backends[{index}].conf", found)


def check_trusted_certificates(trust: Resource[Any], view: Finder) -> tuple[Violation, ...]:
    """One that cannot be read would cost all proxies of the mesh their trust.

    # Differs from Kuma, where anything in PEM will do.
    """
    del view
    return tuple(_unreadable(cast("MeshTrustSpec", trust.spec)))


def _unreadable(spec: MeshTrustSpec) -> Iterator[Violation]:
    for index, bundle in enumerate(spec.ca_bundles):
        try:
            parse_certificates(bundle.pem.value.encode() if bundle.pem is not None else b"")
        except BadKeyPair:
            path = f"spec.caBundles[{index}].pem.value"
            yield Violation(path, "provided certificate has incorrect format")


def check_trust_domain(identity: Resource[Any], view: Finder) -> tuple[Violation, ...]:
    """The trust domain of an identity cannot change while there is a MeshTrust for the one before:
    who has a certificate of it would not be trusted any more."""
    spec = cast("MeshIdentitySpec", identity.spec)
    bundled = spec.bundled
    zone = identity.labels.get(well_known.ZONE, "")
    trust = view.find(ResourceKey(MESH_TRUST.name, identity.mesh, identity.name))
    held = spec_as(MeshTrustSpec, trust)
    try:
        wanted = trust_domain_of(identity, zone)
    except NoSpiffeId as error:
        return (Violation("spec.spiffeID.trustDomain", str(error)),)
    if held is None or bundled is None or not bundled.creates_trust or held.trust_domain == wanted:
        return ()
    message = (
        f'is "{wanted}", but the MeshTrust "{identity.name}" is for "{held.trust_domain}": make a '
        "new MeshIdentity, or delete the MeshTrust first"
    )
    return (Violation("spec.spiffeID.trustDomain", message),)


CHECKS = {
    MESH.name: check_provided_authorities,
    MESH_IDENTITY.name: check_trust_domain,
    MESH_TRUST.name: check_trusted_certificates,
}
