"""The tags by which receivers know a proxy that shows no certificate.

Only HTTP can carry them, only where the mesh has no mutual TLS, and only while a policy tells clients
apart: with them, proxies share less. Source: reference 6.2.
"""

from collections import defaultdict

from kuma.kit.derived import derived
from kuma.plan.tags import Tags
from kuma.resolve.endpoints import enabled_backend
from kuma.resolve.placement import Placement
from kuma.resolve.subsets import as_subset
from kuma.resolve.view import MeshView
from kuma.resources.kinds.dataplane import DataplaneSpec


def client_tags(view: MeshView, dataplane: DataplaneSpec) -> Tags:
    """Sorted, several values of a tag joined by commas; nothing, if nobody looks at them."""
    if not _are_asked_for(view):
        return ()
    found: dict[str, set[str]] = defaultdict(set)
    for tags in dataplane.tag_sets():
        for key, text in tags.items():
            found[key].add(text)
    return tuple((key, ",".join(sorted(found[key]))) for key in sorted(found))


@derived
def _are_asked_for(view: MeshView) -> bool:
    if enabled_backend(view) is not None:
        return False
    return any(
        as_subset(item.target_ref)
        for placement in view.placements
        if _tells_clients_apart(placement)
        for policy in view.policies(placement.name)
        for item in getattr(policy.spec, "from_", None) or ()
    )


def _tells_clients_apart(placement: Placement) -> bool:
    traits = placement.kind.policy
    return traits is not None and traits.has_from and not placement.only_with_tls
