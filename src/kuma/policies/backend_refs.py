"""The backends that a route of any protocol may name."""

from collections.abc import Iterable, Sequence

from kuma.resources.target_ref import BackendRef, TargetRefKind, validate_target_ref
from kuma.resources.violation import Violation, at

_KINDS = (
    TargetRefKind.MESH_SERVICE,
    TargetRefKind.MESH_SERVICE_SUBSET,
    TargetRefKind.MESH_EXTERNAL_SERVICE,
    TargetRefKind.MESH_MULTI_ZONE_SERVICE,
)

_HEAVIEST = 2**32 - 1
_TO_KINDS = (
    TargetRefKind.MESH_SERVICE,
    TargetRefKind.MESH_EXTERNAL_SERVICE,
    TargetRefKind.MESH_MULTI_ZONE_SERVICE,
)


def destination_kinds(top: TargetRefKind) -> tuple[TargetRefKind, ...]:
    """The kinds that `to` may target below such a top-level target."""
    return (TargetRefKind.MESH,) if top is TargetRefKind.MESH_GATEWAY else _TO_KINDS


def validate_backend_refs(
    refs: Sequence[BackendRef], *, also_valid_names: Iterable[str] = ()
) -> list[Violation]:
    found: list[Violation] = []
    for index, ref in enumerate(refs):
        names = tuple(also_valid_names)
        found += at(f"[{index}]", validate_target_ref(ref, kinds=_KINDS, also_valid_names=names))
        if ref.kind is TargetRefKind.MESH_MULTI_ZONE_SERVICE and ref.port is None:
            text = "must be defined with kind MeshMultiZoneService"
            found.append(Violation(f"[{index}].port", text))
    # Differs from Kuma: what does not fit Envoy's numbers is refused here.
    if sum(ref.weight for ref in refs) > _HEAVIEST:
        found.append(Violation("", f"the sum of all weights must be at most {_HEAVIEST}"))
    return found
