"""Warnings about what is accepted still, in Kuma's words."""

from collections.abc import Iterator

from kuma.policies.deprecations import deprecated_endpoint, deprecated_target
from kuma.policies.meshmetric.model import MeshMetricSpec
from kuma.resources.resource import Resource


def deprecated_settings(resource: Resource[MeshMetricSpec]) -> tuple[str, ...]:
    """Each once, however often it is used."""
    return tuple(dict.fromkeys(_deprecated(resource.spec)))


def _deprecated(spec: MeshMetricSpec) -> Iterator[str]:
    yield from deprecated_target(spec.target_ref)
    for backend in spec.default.backends or ():
        if (found := backend.open_telemetry) is not None:
            yield from deprecated_endpoint(found.endpoint, found.backend_ref)
