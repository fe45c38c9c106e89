"""Labels that the control plane computes on every write, and the rules on those that users send.

Computed: `kuma.io/mesh` of mesh-scoped kinds; where and by whom a resource was written
(`kuma.io/origin`, `kuma.io/zone`, `kuma.io/env`) for kinds that zones write; `kuma.io/proxy-type`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from kuma.kit.value import value
from kuma.resources import labels as well_known
from kuma.resources.dns_names import dns_1035_errors
from kuma.resources.kind import Kind, Sync
from kuma.resources.kinds.dataplane import DATAPLANE, DataplaneSpec
from kuma.resources.resource import AnyResource
from kuma.resources.spec import SpecModel
from kuma.resources.violation import Violation

ORIGIN_GLOBAL = "global"
ORIGIN_ZONE = "zone"
_IMMUTABLE = (well_known.ORIGIN, well_known.ZONE, well_known.DISPLAY_NAME)


@value
class Place:
    """Which control plane this is. `mode` is `zone` or `global`."""

    zone: str
    environment: str = "universal"
    mode: str = "zone"

    @property
    def is_zone(self) -> bool:
        return self.mode == "zone"


def compute_labels(
    kind: Kind[Any], mesh: str, spec: SpecModel, labels: Mapping[str, str], place: Place
) -> dict[str, str]:
    """`labels` with the computed ones; what the user sent stays, but for the type of a proxy. An empty
    origin is none.
    """
    computed = dict(labels)
    if not computed.get(well_known.ORIGIN):
        # Differs from Kuma: there it is stored, and the resource has no origin.
        computed.pop(well_known.ORIGIN, None)
    if kind.is_mesh_scoped:
        computed.setdefault(well_known.MESH, mesh)
    if place.is_zone and kind.sync & (Sync.ZONE_TO_GLOBAL | Sync.WRITTEN_BY_ZONE):
        computed.setdefault(well_known.ORIGIN, ORIGIN_ZONE)
        if computed[well_known.ORIGIN] != ORIGIN_GLOBAL:
            computed.setdefault(well_known.ZONE, place.zone)
            computed.setdefault(well_known.ENV, place.environment)
    if isinstance(spec, DataplaneSpec):
        is_gateway = spec.is_builtin_gateway
        computed[well_known.PROXY_TYPE] = "gateway" if is_gateway else "sidecar"
    return dict(sorted(computed.items()))


def check_sent_labels(resource: AnyResource, place: Place) -> Iterator[Violation]:
    """Labels that contradict what the control plane knows."""
    labels = resource.labels
    origin = labels.get(well_known.ORIGIN, "")
    if origin not in {"", ORIGIN_GLOBAL, ORIGIN_ZONE}:
        yield _at(well_known.ORIGIN, f'unknown resource origin "{origin}"')
    if not place.is_zone:
        if origin == ORIGIN_ZONE:
            yield _at(well_known.ORIGIN, f"the origin label must be set to '{ORIGIN_GLOBAL}'")
    elif origin != ORIGIN_GLOBAL:
        yield from _check_place(resource, place)
    workload = labels.get(well_known.WORKLOAD) if resource.kind is DATAPLANE else None
    if workload and (errors := dns_1035_errors(workload)):
        yield _at(well_known.WORKLOAD, f"must be a valid DNS-1035 label: {'; '.join(errors)}")


def _check_place(resource: AnyResource, place: Place) -> Iterator[Violation]:
    if resource.labels.get(well_known.ZONE, place.zone) != place.zone:
        yield _at(well_known.ZONE, f"{well_known.ZONE} label should have {place.zone} value")
    if resource.labels.get(well_known.MESH, resource.mesh) != resource.mesh:
        message = f"{well_known.MESH} label must not differ from mesh set on resource"
        yield _at(well_known.MESH, message)


def check_immutable_labels(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Violation]:
    """Both with their computed labels."""
    for label in _IMMUTABLE:
        if label not in old or new.get(label) == old[label]:
            continue
        if label in new:
            message = f'is immutable, cannot be changed from "{old[label]}" to "{new[label]}"'
        else:
            message = f'is immutable, cannot be removed (was "{old[label]}")'
        yield _at(label, message)


def _at(label: str, message: str) -> Violation:
    return Violation(f'labels["{label}"]', message)
