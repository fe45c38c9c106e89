"""Whom the proxies of a mesh trust: the authorities of each trust domain, as MeshTrusts list them."""

from collections import defaultdict

from kuma.kit.derived import derived
from kuma.kit.value import value
from kuma.plan import names
from kuma.resolve.view import MeshView
from kuma.resources.kinds.mesh_trust import MESH_TRUST, MeshTrustSpec


@value
class TrustDomain:
    """`pems` are the certificates of its authorities."""

    name: str
    pems: tuple[str, ...]


@derived
def trust_domains(view: MeshView) -> tuple[TrustDomain, ...]:
    """Sorted by name; without the authority of the mesh itself."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for trust in view.policies(MESH_TRUST.name):
        if isinstance(trust.spec, MeshTrustSpec):
            found[trust.spec.trust_domain] |= dict.fromkeys(trust.spec.pems)
    return tuple(TrustDomain(name, tuple(found[name])) for name in sorted(found))


@derived
def ca_secret(view: MeshView) -> str:
    """The secret with all whom the proxies trust. Once there is a MeshTrust it is that of all trust
    domains, of which the mesh is one."""
    return names.TRUST_BUNDLE if trust_domains(view) else names.ca_secret(view.mesh_name)


@derived
def client_prefixes(view: MeshView) -> tuple[str, ...]:
    """What the identities of clients begin with: that of the mesh's own authority comes first."""
    mesh = view.mesh_name
    domains = {each.name for each in trust_domains(view)} - {mesh}
    return tuple(f"spiffe://{each}/" for each in (mesh, *sorted(domains)))
