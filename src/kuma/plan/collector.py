"""Where what a proxy reports goes, when a policy names a MeshOpenTelemetryBackend."""

from datetime import timedelta
from typing import ClassVar

from kuma.kit.value import value
from kuma.plan.signal import Signal
from kuma.resources.backend_resource_ref import BackendResourceRef
from kuma.resources.kinds.mesh_open_telemetry_backend import EnvPolicy


@value
class Collector:
    """`name` is that of its resource; `host` empty: the machine of the proxy. `is_http`: OTLP over
    HTTP below `path`, with TLS if `is_secure`; else over gRPC. `env`: how far the environment of
    kuma-dp counts; None: as if nothing was said of it."""

    name: str
    host: str
    port: int
    is_http: bool = False
    is_secure: bool = False
    path: str = ""
    env: EnvPolicy | None = None

    @property
    def label(self) -> str:
        """Its name, or else its address."""
        return self.name or f"{self.host}:{self.port}"

    @property
    def terms(self) -> EnvPolicy:
        return self.env or EnvPolicy()

    def url(self, signal: Signal, *, local: str = "127.0.0.1") -> str:
        """For OTLP over HTTP. `local` is the machine of the proxy."""
        host = self.host or local
        authority = f"[{host}]" if ":" in host else host
        scheme = "https" if self.is_secure else "http"
        return f"{scheme}://{authority}:{self.port}{self.path.rstrip('/')}/{signal.path}"


@value
class Collectors:
    """The slot beside configuration that names collectors. What is not among them does not exist.
    `is_unified`: how their clusters are called."""

    found: tuple[tuple[BackendResourceRef, Collector], ...] = ()
    is_unified: bool = False

    def find(self, ref: BackendResourceRef) -> Collector | None:
        return next((collector for each, collector in self.found if each == ref), None)


class NamesCollectors:
    """Configuration in a slot that names collectors of a signal: resolution puts `Collectors` beside it.
    A base class, since every slot is asked for it."""

    __slots__ = ()
    signal: ClassVar[Signal]

    @property
    def backend_refs(self) -> tuple[BackendResourceRef, ...]:
        raise NotImplementedError

    def every(self, ref: BackendResourceRef) -> timedelta | None:
        """How often the collector gets it; None: nothing is said of that."""
        return None
