"""By which names a proxy finds its certificate and those whom it trusts, and whom it asks for them.

    MeshIdentity of the proxy -> Secrets, else those of the mesh

What a SPIRE agent hands out is asked for by SPIFFE ID; so proxies share it only with those of one ID.
Source: reference 8; https://github.com/spiffe/spire/blob/main/doc/spire_agent.md
"""

from collections.abc import Mapping

from kuma.kit.derived import derived
from kuma.plan import names
from kuma.plan.tags import Tags
from kuma.plan.tls import Secrets
from kuma.resolve.identities import asked_labels, identities
from kuma.resolve.trust import ca_secret, client_prefixes
from kuma.resolve.view import MeshView
from kuma.resolve.workload_identity import NoSpiffeId, best_match, spiffe_id

ALL_BUNDLES = "ALL"
"""Under this name an agent hands out whom its proxies trust, each with its own trust domain."""


@derived
def mesh_secrets(view: MeshView) -> Secrets:
    """By the authority of the mesh."""
    return Secrets(names.identity_secret(view.mesh_name), ca_secret(view))


def secrets_of(view: MeshView, labels: Mapping[str, str]) -> Secrets | None:
    """By the MeshIdentity of a proxy with these labels; None: it has none."""
    return _secrets(view, asked_labels(view, labels)) if identities(view) else None


@derived
def _secrets(view: MeshView, labels: Tags) -> Secrets | None:
    """Who has no SPIFFE ID asks for what nobody hands out, and so speaks to nobody."""
    known = best_match(identities(view), dict(labels))
    if known is None:
        return None
    if not known.is_by_agent:
        return Secrets(known.kri, ca_secret(view))
    try:
        identity = spiffe_id(known, dict(labels))
    except NoSpiffeId:
        identity = known.kri
    return Secrets(identity, ALL_BUNDLES, names.SPIRE_AGENT)


def trusted_prefixes(view: MeshView, secrets: Secrets) -> tuple[str, ...]:
    """What SPIFFE IDs of others must begin with; an agent has told that with its bundles."""
    return () if secrets.agent else client_prefixes(view)
