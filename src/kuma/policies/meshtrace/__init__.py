"""MeshTrace: proxies report a span for every request, to Zipkin, Datadog or OpenTelemetry."""

from kuma.policies.meshtrace.deprecations import deprecated_settings
from kuma.policies.meshtrace.model import MeshTraceSpec, backend_refs
from kuma.policies.meshtrace.validate import validate
from kuma.policies.synchronization import POLICY
from kuma.resources.kind import Kind, PolicyTraits, Scope
from kuma.resources.kinds.conditions import ConditionsStatus

KIND = Kind(
    name="MeshTrace",
    plural="MeshTraces",
    scope=Scope.MESH,
    spec=MeshTraceSpec,
    status=ConditionsStatus,
    path="meshtraces",
    argument="meshtrace",
    short="mtr",
    display_plural="Mesh Traces",
    sync=POLICY,
    policy=PolicyTraits(order=700),
    validate=validate,
    deprecations=deprecated_settings,
    backend_refs=backend_refs,
)
