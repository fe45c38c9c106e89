"""MeshTrace as users write it, and what a proxy is handed of it."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, StrictBool

from kuma.kit.value import value
from kuma.plan.collector import NamesCollectors
from kuma.plan.reporter import Reporter
from kuma.plan.signal import Signal
from kuma.policies.collectors import refs_of
from kuma.resources.backend_resource_ref import BackendResourceRef
from kuma.resources.spec import IntOrString, Items, SpecModel
from kuma.resources.target_ref import TargetRef


class BackendType(StrEnum):
    ZIPKIN = "Zipkin"
    DATADOG = "Datadog"
    OPEN_TELEMETRY = "OpenTelemetry"


class ZipkinVersion(StrEnum):
    HTTP_JSON = "httpJson"
    HTTP_PROTO = "httpProto"


class ZipkinBackend(SpecModel):
    """Any collector that takes Zipkin's spans, such as Jaeger."""

    url: str
    """Where spans are sent, such as `http://zipkin:9411/api/v2/spans`. Default port: 80, with https
    443; default path: `/api/v2/spans`."""
    trace_id128bit: StrictBool = Field(default=False, alias="traceId128bit")
    """Whether ids of new traces have 128 bits, not 64."""
    api_version: ZipkinVersion = ZipkinVersion.HTTP_JSON
    """How spans are written."""
    shared_span_context: StrictBool = True
    """Whether the spans of a request on the client's and on the server's side have the same id."""


class DatadogBackend(SpecModel):
    url: str
    """The Datadog agent: `http://host:port`, and nothing else."""
    split_service: StrictBool = False
    """Whether a service reports under several names, `web_INBOUND` for what it serves and
    `web_OUTBOUND_api` for its calls to another one."""


class OpenTelemetryBackend(SpecModel):
    endpoint: str = ""
    """The collector, which is spoken to in OTLP over gRPC: `host:port`. Default port: 4317.
    Deprecated, use `backendRef`."""
    backend_ref: BackendResourceRef | None = None
    """The collector, as a MeshOpenTelemetryBackend describes it."""


class Backend(SpecModel):
    type: BackendType
    """Which of the following is used, and has to be there."""
    zipkin: ZipkinBackend | None = None
    """A collector of Zipkin's spans."""
    datadog: DatadogBackend | None = None
    """A Datadog agent."""
    open_telemetry: OpenTelemetryBackend | None = None
    """An OpenTelemetry collector."""


class Sampling(SpecModel):
    """Percentages, as numbers or as decimals in text. Of the requests that `client` or `random` has
    chosen, `overall` are reported."""

    overall: IntOrString | None = None
    """An upper limit for everything. Default: 100."""
    client: IntOrString | None = None
    """Of the requests with the header `x-client-trace-id`. Default: 100."""
    random: IntOrString | None = None
    """Of all other requests. Default: 100."""


class HeaderTag(SpecModel):
    name: str
    """The header of the request whose value is taken."""
    default: str | None = None
    """The value where the header is missing. Left out: there is no such tag then."""


class Tag(SpecModel):
    """With either `literal` or `header`."""

    name: str
    """The tag's name."""
    literal: str | None = None
    """The tag's value."""
    header: HeaderTag | None = None
    """Takes the tag's value from a header of the request."""


class TraceConf(SpecModel):
    backends: Annotated[tuple[Backend, ...], Items(maximum=1)] | None = None
    """Where spans are sent; at most one. An empty list: nowhere."""
    sampling: Sampling | None = None
    """How many requests are reported."""
    tags: tuple[Tag, ...] | None = None
    """What is added to every span, beside `kuma.mesh`, `kuma.zone` and `kuma.workload`."""


class MeshTraceSpec(SpecModel):
    target_ref: TargetRef | None = None
    """The proxies that the policy configures. Left out: all of the mesh."""
    default: TraceConf = TraceConf()
    """What they report."""


@value
class Trace(NamesCollectors):
    """What a proxy reports, to whom, and under which name. `conf` has one backend."""

    signal: ClassVar[Signal] = Signal.TRACES
    conf: TraceConf
    backend: Backend
    reporter: Reporter

    @property
    def backend_refs(self) -> tuple[BackendResourceRef, ...]:
        return tuple(ref for _, ref in refs_of((self.backend,)))


def backend_refs(spec: MeshTraceSpec) -> tuple[tuple[str, BackendResourceRef], ...]:
    """With their paths."""
    return tuple(
        (f"spec.default.backends[{at}].openTelemetry.backendRef", ref)
        for at, ref in refs_of(spec.default.backends or ())
    )
