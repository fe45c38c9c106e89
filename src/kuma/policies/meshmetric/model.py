"""MeshMetric as users write it, and what a proxy is handed of it."""

from datetime import timedelta
from enum import StrEnum
from typing import ClassVar

from pydantic import StrictBool, StrictInt

from kuma.kit.value import value
from kuma.plan.collector import NamesCollectors
from kuma.plan.measured import Measured
from kuma.plan.origin import Origin
from kuma.plan.signal import Signal
from kuma.policies.collectors import refs_of
from kuma.resources.backend_resource_ref import BackendResourceRef
from kuma.resources.spec import Duration, SpecModel
from kuma.resources.target_ref import TargetRef

DEFAULT_BACKEND = "default-backend"
DEFAULT_INTERVAL = timedelta(minutes=1)


class ProfileName(StrEnum):
    ALL = "All"
    BASIC = "Basic"
    NONE = "None"


class SelectorType(StrEnum):
    PREFIX = "Prefix"
    REGEX = "Regex"
    EXACT = "Exact"
    CONTAINS = "Contains"


class BackendType(StrEnum):
    PROMETHEUS = "Prometheus"
    OPEN_TELEMETRY = "OpenTelemetry"


class MetricsTlsMode(StrEnum):
    DISABLED = "Disabled"
    PROVIDED_TLS = "ProvidedTLS"
    ACTIVE_MTLS_BACKEND = "ActiveMTLSBackend"


class Profile(SpecModel):
    name: ProfileName
    """All: everything that Envoy measures; Basic: what dashboards and alerts need; None: nothing."""


class Selector(SpecModel):
    """Chooses metrics of the proxy by their names, such as `envoy_cluster_upstream_rq`."""

    type: SelectorType
    """How `match` is compared with the name; a Regex has to be found anywhere in it."""
    match: str
    """A name or a part of one."""


class Profiles(SpecModel):
    append_profiles: tuple[Profile, ...] | None = None
    """Metrics of any of these are sent. Default: Basic."""
    exclude: tuple[Selector, ...] | None = None
    """But not these."""
    include: tuple[Selector, ...] | None = None
    """And these in any case."""


class Sidecar(SpecModel):
    profiles: Profiles | None = None
    """Which of the proxy's metrics are sent."""
    include_unused: StrictBool | None = None
    """Whether metrics are sent that have not changed since the proxy started. Default: false."""


class Application(SpecModel):
    """Metrics in Prometheus' text format, which are sent with those of the proxy."""

    name: str | None = None
    """What logs call the application."""
    path: str = "/metrics"
    """Where its metrics are."""
    address: str | None = None
    """Where it listens. Default: the address of the Dataplane."""
    port: StrictInt
    """Where it listens."""


class PrometheusTls(SpecModel):
    mode: MetricsTlsMode = MetricsTlsMode.DISABLED
    """Disabled: anybody may ask, in plain text. ProvidedTLS: over TLS, with the certificate and key of
    `kuma-dp --metrics-cert-path --metrics-key-path`. ActiveMTLSBackend: over mutual TLS, with a
    certificate of the mesh."""


class PrometheusBackend(SpecModel):
    client_id: str | None = None
    """Tells several Prometheus apart."""
    port: StrictInt = 5670
    """Where the proxy serves metrics, at the address of its Dataplane."""
    path: str = "/metrics"
    """The path at which it does."""
    tls: PrometheusTls | None = None
    """Who may ask. Left out: Disabled."""

    @property
    def name(self) -> str:
        return DEFAULT_BACKEND if self.client_id is None else self.client_id

    @property
    def mode(self) -> MetricsTlsMode:
        return MetricsTlsMode.DISABLED if self.tls is None else self.tls.mode


class OpenTelemetryBackend(SpecModel):
    endpoint: str = ""
    """The collector, which is spoken to in OTLP over gRPC: `host:port`. Deprecated, use
    `backendRef`."""
    backend_ref: BackendResourceRef | None = None
    """The collector, as a MeshOpenTelemetryBackend describes it."""
    refresh_interval: Duration | None = None
    """How often metrics are sent. Default: 1m."""


class Backend(SpecModel):
    type: BackendType
    """Which of the following is used, and has to be there."""
    prometheus: PrometheusBackend | None = None
    """A Prometheus, which asks for metrics."""
    open_telemetry: OpenTelemetryBackend | None = None
    """An OpenTelemetry collector, to which metrics are sent."""


class MetricConf(SpecModel):
    sidecar: Sidecar | None = None
    """What is sent of the proxy's own metrics."""
    applications: tuple[Application, ...] | None = None
    """What is measured beside the proxy."""
    backends: tuple[Backend, ...] | None = None
    """Who gets the metrics. Left out or empty: nobody."""


class MeshMetricSpec(SpecModel):
    target_ref: TargetRef | None = None
    """The proxies that the policy configures. Left out: all of the mesh."""
    default: MetricConf = MetricConf()
    """What is measured of them, and for whom."""


@value
class Metrics(NamesCollectors):
    """What is measured of a proxy. `origin`: the policy that decides last."""

    signal: ClassVar[Signal] = Signal.METRICS
    conf: MetricConf
    measured: Measured
    origin: Origin

    @property
    def backend_refs(self) -> tuple[BackendResourceRef, ...]:
        return tuple(ref for _, ref in refs_of(self.conf.backends or ()))

    def every(self, ref: BackendResourceRef) -> timedelta | None:
        """That of the first that names the collector."""
        found = (each.open_telemetry for each in self.conf.backends or ())
        return next((e.refresh_interval for e in found if e and e.backend_ref == ref), None)


def backend_refs(spec: MeshMetricSpec) -> tuple[tuple[str, BackendResourceRef], ...]:
    """With their paths."""
    return tuple(
        (f"spec.default.backends[{at}].openTelemetry.backendRef", ref)
        for at, ref in refs_of(spec.default.backends or ())
    )
