"""MeshAccessLog as users write it, AccessLogConf, what is left after merging, and InboundLogs."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from kuma.kit.value import value
from kuma.plan.collector import NamesCollectors
from kuma.plan.signal import Signal
from kuma.policies.collectors import refs_of
from kuma.resources.backend_resource_ref import BackendResourceRef
from kuma.resources.match import Match
from kuma.resources.spec import AnyJson, SpecModel
from kuma.resources.target_ref import TargetRef

Text = Annotated[str, Field(min_length=1)]


class FormatType(StrEnum):
    PLAIN = "Plain"
    JSON = "Json"


class JsonField(SpecModel):
    key: str
    """Name of the field in what is logged."""
    value: str
    """Its value: text with placeholders and operators of Envoy."""


class Format(SpecModel):
    type: FormatType
    """Whether entries are lines of text or JSON objects."""
    plain: str | None = None
    """For type Plain: text with placeholders such as `%KUMA_MESH%` and operators of Envoy."""
    json_: tuple[JsonField, ...] | None = Field(default=None, alias="json")
    """For type Json: the fields of an entry."""
    omit_empty_values: bool = False
    """Leave out what has no value; otherwise it is `-`, in JSON null."""


class FileBackend(SpecModel):
    format: Format | None = None
    """What an entry looks like. Left out: a line, with a format for HTTP and one for TCP."""
    path: Text
    """The file, on the machine of the proxy; `/dev/stdout` for its output."""


class TcpBackend(SpecModel):
    format: Format | None = None
    """What an entry looks like. Left out: a line, with a format for HTTP and one for TCP."""
    address: Text
    """`host:port` of what takes the entries, which `kuma-dp` connects to."""


class OtelAttribute(SpecModel):
    key: Annotated[str, Field(pattern=r"^[a-z]([a-z0-9]|[._][a-z0-9])*$")]
    """Name of the attribute, such as `http.route`."""
    value: str
    """Its value: text with placeholders and operators of Envoy."""


class OtelBackend(SpecModel):
    attributes: tuple[OtelAttribute, ...] | None = None
    """Attributes of each record."""
    backend_ref: BackendResourceRef | None = None
    """The collector, as a MeshOpenTelemetryBackend describes it."""
    body: AnyJson | None = None
    """Body of each record: an AnyValue of OTLP, or any JSON, which becomes text. Left out: the same
    line that a file would get."""
    endpoint: str = ""
    """The collector: `host` or `host:port`; the port is 4317 if it is left out. Deprecated, use
    `backendRef`."""


class BackendType(StrEnum):
    TCP = "Tcp"
    FILE = "File"
    OPEN_TELEMETRY = "OpenTelemetry"


class Backend(SpecModel):
    type: BackendType
    """Where entries go."""
    file: FileBackend | None = None
    """For type File."""
    tcp: TcpBackend | None = None
    """For type Tcp."""
    open_telemetry: OtelBackend | None = None
    """For type OpenTelemetry."""


class AccessLogConf(SpecModel, NamesCollectors):
    signal: ClassVar[Signal] = Signal.LOGS
    backends: tuple[Backend, ...] | None = None
    """Where entries go, all of them; none: nothing is logged."""

    @property
    def backend_refs(self) -> tuple[BackendResourceRef, ...]:
        return tuple(ref for _, ref in refs_of(self.backends or ()))


class To(SpecModel):
    target_ref: TargetRef
    """The destination: Mesh for all, a service of any kind, or a MeshHTTPRoute."""
    default: AccessLogConf
    """How calls to it are logged."""


class From(SpecModel):
    target_ref: TargetRef
    """The clients: Mesh, that is all."""
    default: AccessLogConf
    """How calls from them are logged."""


class Rule(SpecModel):
    """Holds for connections that meet one of `matches`; without matches for all."""

    matches: tuple[Match, ...] | None = None
    """Only connections that meet one of these. Left out: all."""
    default: AccessLogConf
    """How these connections are logged."""


class MeshAccessLogSpec(SpecModel):
    target_ref: TargetRef | None = None
    """The proxies that the policy configures. Left out: all of the mesh."""
    to: tuple[To, ...] | None = None
    """For calls that these proxies make."""
    from_: tuple[From, ...] | None = Field(default=None, alias="from")
    """For calls that these proxies receive; `rules` is the newer form."""
    rules: tuple[Rule, ...] | None = None
    """For calls that these proxies receive."""


@value
class InboundLog:
    """`match` None: every connection is logged."""

    match: Match | None
    backend: Backend


@value
class InboundLogs(NamesCollectors):
    """Each logs for itself."""

    signal: ClassVar[Signal] = Signal.LOGS
    logs: tuple[InboundLog, ...]

    @property
    def backend_refs(self) -> tuple[BackendResourceRef, ...]:
        return tuple(ref for _, ref in refs_of(each.backend for each in self.logs))


def backend_refs(spec: MeshAccessLogSpec) -> tuple[tuple[str, BackendResourceRef], ...]:
    """With their paths."""
    return tuple(
        (f"spec.{path}.default.backends[{at}].openTelemetry.backendRef", ref)
        for path, conf in confs_of(spec)
        for at, ref in refs_of(conf.backends or ())
    )


def confs_of(spec: MeshAccessLogSpec) -> Iterator[tuple[str, AccessLogConf]]:
    """With the paths of their entries."""
    entries: dict[str, tuple[To | From | Rule, ...] | None]
    entries = {"to": spec.to, "from": spec.from_, "rules": spec.rules}
    for name, found in entries.items():
        for at, entry in enumerate(found or ()):
            yield f"{name}[{at}]", entry.default
