"""Where what a proxy reports goes, when a policy names a MeshOpenTelemetryBackend."""

from kuma.kit.value import value
from kuma.resources.backend_resource_ref import BackendResourceRef

TRACES, METRICS, LOGS = "v1/traces", "v1/metrics", "v1/logs"
"""The ends of the paths of OTLP over HTTP. Source: https://opentelemetry.io/docs/specs/otlp/"""


@value
class Collector:
    """`name` is that of its resource; `host` empty: the machine of the proxy. `is_http`: OTLP over
    HTTP below `path`, with TLS if `is_secure`; else over gRPC."""

    name: str
    host: str
    port: int
    is_http: bool = False
    is_secure: bool = False
    path: str = ""

    def url(self, signal: str, *, local: str = "127.0.0.1") -> str:
        """For OTLP over HTTP. `local` is the machine of the proxy."""
        host = self.host or local
        authority = f"[{host}]" if ":" in host else host
        scheme = "https" if self.is_secure else "http"
        return f"{scheme}://{authority}:{self.port}{self.path.rstrip('/')}/{signal}"


@value
class Collectors:
    """The slot beside configuration that names collectors. What is not among them does not exist.
    `is_unified`: how their clusters are called."""

    found: tuple[tuple[BackendResourceRef, Collector], ...] = ()
    is_unified: bool = False

    def find(self, ref: BackendResourceRef) -> Collector | None:
        return next((collector for each, collector in self.found if each == ref), None)


class NamesCollectors:
    """Configuration in a slot that names collectors: resolution puts `Collectors` beside it. A base
    class, since every slot is asked for it."""

    __slots__ = ()

    @property
    def backend_refs(self) -> tuple[BackendResourceRef, ...]:
        raise NotImplementedError
