"""Whether a proxy is who it is by its label kuma.io/workload: then its token must say so too.

Source: Kuma, workload identity on universal; reference 8.
"""

from kuma.resolve.workload_identity import (
    Known,
    best_match,
    first_selecting,
    is_from_workload,
    known_identities,
)
from kuma.resources.kinds.dataplane import DataplaneSpec
from kuma.resources.kinds.mesh_identity import MESH_IDENTITY
from kuma.resources.labels import WORKLOAD
from kuma.resources.replica import Replica
from kuma.resources.resource import Resource

Dataplane = Resource[DataplaneSpec]


def is_known_by_workload(replica: Replica, dataplane: Dataplane, zone: str) -> bool:
    return _identity(replica, dataplane, zone) is not None


def missing_workload(replica: Replica, dataplane: Dataplane, zone: str) -> str | None:
    """Why a proxy would have no identity, for the user; None: it has the label, or needs none."""
    known = _identity(replica, dataplane, zone)
    if known is None or dataplane.labels.get(WORKLOAD):
        return None
    return (
        f'the Dataplane "{dataplane.name}" needs a label {WORKLOAD}: it is selected by the '
        f'MeshIdentity "{known.name}", whose SPIFFE IDs are made from that label'
    )


def _identity(replica: Replica, dataplane: Dataplane, zone: str) -> Known | None:
    """The MeshIdentity, ready or soon to be, that makes the SPIFFE ID from the label."""
    resources = replica.list(MESH_IDENTITY, dataplane.mesh)
    if not resources:
        return None
    known, labels = known_identities(resources, zone), dataplane.labels
    found = (best_match(known, labels), first_selecting(known, labels))
    return next((each for each in found if each and is_from_workload(each, labels)), None)
