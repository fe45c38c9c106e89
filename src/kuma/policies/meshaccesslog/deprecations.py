"""Warnings about what is accepted still, in Kuma's words."""

from kuma.policies.deprecations import deprecated_endpoint, deprecated_fields
from kuma.policies.meshaccesslog.model import MeshAccessLogSpec, confs_of
from kuma.resources.resource import Resource


def deprecated_settings(resource: Resource[MeshAccessLogSpec]) -> tuple[str, ...]:
    """Each once, however often it is used."""
    found = [
        warning
        for _, conf in confs_of(resource.spec)
        for backend in conf.backends or ()
        if (otel := backend.open_telemetry) is not None
        for warning in deprecated_endpoint(otel.endpoint, otel.backend_ref)
    ]
    return (*deprecated_fields(resource), *dict.fromkeys(found))
