"""References to MeshOpenTelemetryBackends -> the collectors that they stand for.

    policy -> conf in slots -> (with_collectors) -> the same slots, and Collectors

Source: reference 12; Kuma picks the oldest of those that match, and ignores a reference to none.
"""

from collections.abc import Iterator

from kuma.kit.derived import derived
from kuma.kit.slots import Slots
from kuma.plan.collector import Collector, Collectors, NamesCollectors
from kuma.plan.origin import Origin
from kuma.plan.proxy import Diagnostic
from kuma.resolve.view import MeshView
from kuma.resources.backend_resource_ref import BackendResourceRef
from kuma.resources.kinds.mesh_open_telemetry_backend import (
    DEFAULT_PORT,
    MESH_OPEN_TELEMETRY_BACKEND,
    CollectorEndpoint,
    CollectorProtocol,
    MeshOpenTelemetryBackendSpec,
    find_backend,
)
from kuma.resources.resource import AnyResource

_HTTPS = 443


@derived
def find_collector(view: MeshView, ref: BackendResourceRef) -> Collector | None:
    """None: nothing has the labels."""
    found = find_backend(view.services(MESH_OPEN_TELEMETRY_BACKEND.name), ref)
    if found is None or not isinstance(found.spec, MeshOpenTelemetryBackendSpec):
        return None
    endpoint = found.spec.endpoint or CollectorEndpoint()
    port = endpoint.port or DEFAULT_PORT
    is_http = found.spec.protocol is CollectorProtocol.HTTP
    return Collector(
        name=found.name,
        host=endpoint.address or "",
        port=port,
        is_http=is_http,
        is_secure=is_http and port == _HTTPS,
        path=(endpoint.path or "") if is_http else "",
        env=found.spec.env,
    )


def with_collectors(view: MeshView, slots: Slots) -> Slots:
    """The same, with what the configuration in them names."""
    refs = {ref for each in slots if isinstance(each, NamesCollectors) for ref in each.backend_refs}
    if not refs:
        return slots
    found = ((ref, find_collector(view, ref)) for ref in sorted(refs, key=str))
    return slots.put(Collectors(tuple((ref, each) for ref, each in found if each is not None)))


def unresolved_backends(view: MeshView, policy: AnyResource) -> Iterator[Diagnostic]:
    """What a policy names and there is not."""
    refs = policy.kind.backend_refs
    for path, ref in () if refs is None else refs(policy.spec):
        if find_collector(view, ref) is None:
            origin = Origin(policy.kind.name, policy.mesh, policy.name)
            labels = ", ".join(f"{key}: {text}" for key, text in ref.labels or ())
            yield Diagnostic(origin, path, f"no {ref.kind} has the labels {labels}")
