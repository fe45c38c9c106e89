"""Warnings about what is accepted still, in Kuma's words.

Differs from Kuma, which calls `openTelemetry.endpoint` deprecated: what replaces it, a
MeshOpenTelemetryBackend, does not exist here.
"""

from kuma.policies.deprecations import deprecated_target
from kuma.policies.meshtrace.model import MeshTraceSpec
from kuma.resources.resource import Resource


def deprecated_settings(resource: Resource[MeshTraceSpec]) -> tuple[str, ...]:
    return tuple(deprecated_target(resource.spec.target_ref))
