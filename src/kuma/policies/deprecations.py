"""Warnings about what is accepted still, in Kuma's words."""

from collections.abc import Iterator
from typing import Any

from kuma.resources.resource import Resource
from kuma.resources.target_ref import TargetRef, TargetRefKind

_BY_TAGS = frozenset(
    {
        TargetRefKind.MESH_SERVICE,
        TargetRefKind.MESH_SERVICE_SUBSET,
        TargetRefKind.MESH_SUBSET,
    }
)


def deprecated_fields(resource: Resource[Any]) -> tuple[str, ...]:
    """About `from`, where the kind has `rules` in its place, and about the top-level target."""
    found = []
    if getattr(resource.spec, "from_", None):
        found.append("'from' field is deprecated, use 'rules' instead")
    return (*found, *deprecated_target(resource.spec.target_ref))


def deprecated_endpoint(endpoint: str, backend_ref: object | None) -> Iterator[str]:
    """Of a backend for OpenTelemetry."""
    if endpoint and backend_ref is None:
        yield (
            "openTelemetry.endpoint is deprecated, use openTelemetry.backendRef with a "
            "MeshOpenTelemetryBackend resource instead"
        )


def deprecated_target(target: TargetRef | None) -> Iterator[str]:
    if target is None:
        return
    if target.kind in _BY_TAGS:
        yield (
            f"{target.kind} value for 'targetRef.kind' is deprecated, "
            "use Dataplane with labels instead"
        )
    elif target.kind is TargetRefKind.MESH_HTTP_ROUTE:
        yield (
            "MeshHTTPRoute value for 'targetRef.kind' is deprecated, "
            "use MeshHTTPRoute in spec.to[].targetRef"
        )
