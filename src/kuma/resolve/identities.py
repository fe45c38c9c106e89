"""Which MeshIdentity a proxy of a mesh has, and under which SPIFFE IDs others may meet it.

    MeshIdentities -> Known (all that proxies need of them) --labels of a proxy--> the one it has

Only labels count, so proxies that agree in those that are asked for share the answer.
"""

from collections.abc import Mapping

from kuma.kit.derived import derived
from kuma.plan.tags import Tags, as_tags
from kuma.resolve.view import MeshView
from kuma.resolve.workload_identity import (
    Known,
    announced_ids,
    best_match,
    deciding_labels,
    known_identities,
)
from kuma.resources.kinds.mesh_identity import MESH_IDENTITY

LINGERING = "MeshIdentity that was"
"""In the place of a kind: MeshIdentities as they were until a moment ago."""


@derived
def identities(view: MeshView) -> tuple[Known, ...]:
    return known_identities(view.policies(MESH_IDENTITY.name), view.zone)


@derived
def _lingering(view: MeshView) -> tuple[Known, ...]:
    return known_identities(view.policies(LINGERING), view.zone)


@derived
def _deciding_labels(view: MeshView) -> frozenset[str]:
    """Labels that decide who a proxy is."""
    every = (*identities(view), *_lingering(view))
    return frozenset(label for known in every for label in deciding_labels(known))


def asked_labels(view: MeshView, labels: Mapping[str, str]) -> Tags:
    """Of these labels, those that decide who a proxy is."""
    wanted = _deciding_labels(view)
    return as_tags({key: text for key, text in labels.items() if key in wanted})


def identity_of(view: MeshView, labels: Mapping[str, str]) -> Known | None:
    """The MeshIdentity that a proxy with these labels has; None: it has none, or none yet."""
    return _identity(view, asked_labels(view, labels)) if identities(view) else None


@derived
def _identity(view: MeshView, labels: Tags) -> Known | None:
    return best_match(identities(view), dict(labels))


def possible_ids(view: MeshView, labels: Mapping[str, str]) -> tuple[str, ...]:
    """Every SPIFFE ID that a proxy with these labels has, may get soon or had just now, sorted."""
    if not identities(view) and not _lingering(view):
        return ()
    return _possible_ids(view, asked_labels(view, labels))


@derived
def _possible_ids(view: MeshView, labels: Tags) -> tuple[str, ...]:
    return announced_ids((*identities(view), *_lingering(view)), dict(labels))
