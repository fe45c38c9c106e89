"""MeshOpenTelemetryBackend: an OpenTelemetry collector, described once for all policies that use it.

Its status is kept by the control plane.
Source: reference 12; Kuma, MeshOpenTelemetryBackend.
"""

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum

from pydantic import StrictBool

from kuma.resources.backend_resource_ref import BackendResourceRef
from kuma.resources.kind import Kind, Scope, Sync
from kuma.resources.kinds.conditions import ConditionsStatus
from kuma.resources.kinds.rules import is_dns_name, is_ip
from kuma.resources.resource import AnyResource, Resource
from kuma.resources.spec import Int32, SpecModel
from kuma.resources.violation import Violation

DEFAULT_PORT = 4317
_IN_URLS = re.compile(r"[?#]")


class CollectorProtocol(StrEnum):
    GRPC = "grpc"
    HTTP = "http"


class CollectorEndpoint(SpecModel):
    address: str | None = None
    """IP address or DNS name of the collector. Left out: the machine of each proxy."""
    port: Int32 | None = None
    """Port of the collector. Left out: 4317."""
    path: str | None = None
    """For protocol http: what stands before `/v1/traces`, `/v1/logs` and `/v1/metrics`."""


class EnvMode(StrEnum):
    DISABLED = "Disabled"
    OPTIONAL = "Optional"
    REQUIRED = "Required"


class EnvPrecedence(StrEnum):
    EXPLICIT_FIRST = "ExplicitFirst"
    ENV_FIRST = "EnvFirst"


class EnvPolicy(SpecModel):
    """Whether variables OTEL_EXPORTER_OTLP_* in the environment of kuma-dp count."""

    mode: EnvMode = EnvMode.OPTIONAL
    """Disabled: they do not count; Optional: they do where they are there; Required: nothing is sent
    without them."""
    precedence: EnvPrecedence = EnvPrecedence.ENV_FIRST
    """What counts where both say it: EnvFirst, the variable; ExplicitFirst, this resource."""
    allow_signal_overrides: StrictBool | None = None
    """Whether those of one signal, such as OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, count. Default: true."""


class MeshOpenTelemetryBackendSpec(SpecModel):
    endpoint: CollectorEndpoint | None = None
    """Where the collector is. Left out: at port 4317 of the machine of each proxy."""
    protocol: CollectorProtocol | None = None
    """OTLP over gRPC, or over HTTP; at port 443 that is HTTPS. Left out: grpc."""
    env: EnvPolicy | None = None
    """Whether the environment of kuma-dp counts. Left out: it does where it is there, and goes first."""


def find_backend(held: Iterable[AnyResource], ref: BackendResourceRef) -> AnyResource | None:
    """The oldest of those that have all labels of `ref`; without labels none."""
    if not ref.labels:
        return None
    found = (
        each for each in held if all(each.labels.get(key) == text for key, text in ref.labels or ())
    )
    return min(found, key=lambda each: (each.meta.creation_time, each.name), default=None)


def _validate(resource: Resource[MeshOpenTelemetryBackendSpec]) -> tuple[Violation, ...]:
    return tuple(_violations(resource.spec))


def _violations(spec: MeshOpenTelemetryBackendSpec) -> Iterator[Violation]:
    if spec.endpoint is not None:
        yield from _endpoint_violations(spec.endpoint, spec.protocol or CollectorProtocol.GRPC)


def _endpoint_violations(
    endpoint: CollectorEndpoint, protocol: CollectorProtocol
) -> Iterator[Violation]:
    address, port = endpoint.address, endpoint.port
    if address == "":
        yield Violation("spec.endpoint.address", "must not be empty")
    elif address is not None and not is_ip(address) and not is_dns_name(address):
        yield Violation("spec.endpoint.address", "address has to be a valid IP or hostname")
    if port is not None and not 1 <= port <= 65535:
        yield Violation("spec.endpoint.port", "port must be a valid (1-65535)")
    if endpoint.path:
        yield from _path_violations(endpoint.path, protocol)


def _path_violations(path: str, protocol: CollectorProtocol) -> Iterator[Violation]:
    if protocol is CollectorProtocol.GRPC:
        yield Violation("spec.endpoint.path", "must not be set when protocol is grpc")
        return
    if not path.startswith("/"):
        yield Violation("spec.endpoint.path", "must start with /")
    if _IN_URLS.search(path):
        yield Violation("spec.endpoint.path", "must not contain query or fragment")


MESH_OPEN_TELEMETRY_BACKEND = Kind(
    name="MeshOpenTelemetryBackend",
    plural="MeshOpenTelemetryBackends",
    display_plural="Mesh OpenTelemetry Backends",
    scope=Scope.MESH,
    spec=MeshOpenTelemetryBackendSpec,
    status=ConditionsStatus,
    path="meshopentelemetrybackends",
    argument="meshopentelemetrybackend",
    short="motb",
    sync=Sync.GLOBAL_TO_ZONES | Sync.ZONE_TO_GLOBAL,
    validate=_validate,
)
