"""In which order policies and their entries are merged: ascending, so that later ones win.

The order is no total one: `Dataplane` alone is as strong as one with a name and as one with labels,
which are not equally strong. So who is sorted with whom counts: those that hold together, and no others.
Source: Kuma, docs/madr 005 and 066; reference 14.4.
"""

from collections.abc import Iterable
from functools import cmp_to_key

from kuma.resources import labels as well_known
from kuma.resources.resource import AnyResource
from kuma.resources.target_ref import WHOLE_MESH, TargetRef, TargetRefKind

_ORIGINS = {"global": 1, "": 2, "zone": 3}
_ROLES = {"system": 1, "producer": 2, "consumer": 3, "workload-owner": 4}


def top_target(policy: AnyResource) -> TargetRef:
    return getattr(policy.spec, "target_ref", None) or WHOLE_MESH


def role_of(policy: AnyResource) -> str:
    return policy.labels.get(well_known.POLICY_ROLE) or "system"


def weakest_first(policies: Iterable[AnyResource]) -> tuple[AnyResource, ...]:
    """`policies` are sorted by name; so stay those that are called alike, in several namespaces."""
    return tuple(sorted(policies, key=cmp_to_key(compare_policies)))


def compare_policies(one: AnyResource, other: AnyResource) -> int:
    """Negative: `other` wins over `one`. Of two equal ones the alphabetically smaller name wins."""
    first, second = top_target(one), top_target(other)
    return (
        first.kind.rank - second.kind.rank
        or _compare_dataplane_targets(first, second)
        or _origin_rank(one) - _origin_rank(other)
        or _compare_gateway_tags(first, second)
        or _role_rank(one) - _role_rank(other)
        or compare_names(one, other)
    )


def compare_attributes(one: AnyResource, other: AnyResource) -> int:
    """As `compare_policies`, without the tags of gateways and the names."""
    first, second = top_target(one), top_target(other)
    return (
        first.kind.rank - second.kind.rank
        or _compare_dataplane_targets(first, second)
        or _origin_rank(one) - _origin_rank(other)
        or _role_rank(one) - _role_rank(other)
    )


def compare_names(one: AnyResource, other: AnyResource) -> int:
    return (one.display_name < other.display_name) - (one.display_name > other.display_name)


def _compare_dataplane_targets(one: TargetRef, other: TargetRef) -> int:
    """By name beats by labels; then one with a section beats one without."""
    if one.kind is not TargetRefKind.DATAPLANE or other.kind is not TargetRefKind.DATAPLANE:
        return 0
    if one.name and other.labels is not None:
        return 1
    if one.labels is not None and other.name:
        return -1
    return bool(one.section_name) - bool(other.section_name)


def _compare_gateway_tags(one: TargetRef, other: TargetRef) -> int:
    if one.kind is not TargetRefKind.MESH_GATEWAY:
        return 0
    return len(one.tags or ()) - len(other.tags or ())


def _role_rank(policy: AnyResource) -> int:
    return _ROLES.get(role_of(policy), 1)


def _origin_rank(policy: AnyResource) -> int:
    return _ORIGINS.get(policy.labels.get(well_known.ORIGIN, ""), 2)
