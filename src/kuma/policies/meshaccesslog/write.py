"""An access logger for each backend: lines in a file or for kuma-dp, records for a collector, by way of
kuma-dp if that takes them.

Kuma's placeholders stand for what the control plane knows, so they are filled in here; Envoy's
operators are for Envoy. The source of a call that comes in is the client's address.
Differs from Kuma, where it is the proxy's own; where a proxy without a pipe fills a file with what is
for TCP; and where records over HTTP need kuma-dp in between.
Source: https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage
"""

from collections.abc import Callable, Iterable

from envoy.config.accesslog.v3.accesslog_pb2 import AccessLog
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from google.protobuf.json_format import ParseDict, ParseError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from kuma.envoy.access_log import build_lines, build_objects, build_otlp, limit_to
from kuma.envoy.cluster import build_collector, build_piped
from kuma.kit.value import value
from kuma.plan import names
from kuma.plan.collector import Collector, Collectors
from kuma.plan.logged import LoggedAs
from kuma.plan.machine import Machine, collector_socket
from kuma.plan.proxy import Inbound
from kuma.plan.signal import Signal
from kuma.policies.collectors import find_collector
from kuma.policies.meshaccesslog.model import Backend, BackendType, Format, FormatType, OtelBackend

HTTP_FORMAT = (
    '[%START_TIME%] %KUMA_MESH% "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" '
    "%RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% "
    '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" '
    '"%REQ(X-B3-TRACEID?X-DATADOG-TRACEID)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" '
    '"%KUMA_SOURCE_SERVICE%" "%KUMA_DESTINATION_SERVICE%" "%KUMA_SOURCE_ADDRESS_WITHOUT_PORT%" '
    '"%UPSTREAM_HOST%"'
)
TCP_FORMAT = (
    "[%START_TIME%] %RESPONSE_FLAGS% %KUMA_MESH% "
    "%KUMA_SOURCE_ADDRESS_WITHOUT_PORT%(%KUMA_SOURCE_SERVICE%)->"
    "%UPSTREAM_HOST%(%KUMA_DESTINATION_SERVICE%) "
    "took %DURATION%ms, sent %BYTES_SENT% bytes, received: %BYTES_RECEIVED% bytes"
)
"""What Kuma writes where no format is given, which tools read. Source: Kuma, MeshAccessLog."""

UNKNOWN = "unknown"
_LOG_NAME = "MeshAccessLog"

Fill = Callable[[str], str]


def inbound_values(inbound: Inbound, logged: LoggedAs) -> Fill:
    values = {
        "KUMA_SOURCE_ADDRESS": "%DOWNSTREAM_REMOTE_ADDRESS%",
        "KUMA_SOURCE_ADDRESS_WITHOUT_PORT": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        "KUMA_SOURCE_SERVICE": UNKNOWN,
        "KUMA_DESTINATION_SERVICE": _literal(inbound.service or UNKNOWN),
        "KUMA_TRAFFIC_DIRECTION": "INBOUND",
    }
    return _filler(values, logged)


def values_to(service: str, logged: LoggedAs) -> Fill:
    host = f"[{logged.address}]" if ":" in logged.address else logged.address
    values = {
        "KUMA_SOURCE_ADDRESS": f"{host}:0",
        "KUMA_SOURCE_ADDRESS_WITHOUT_PORT": logged.address,
        "KUMA_SOURCE_SERVICE": _literal(logged.service),
        "KUMA_DESTINATION_SERVICE": _literal(service),
        "KUMA_TRAFFIC_DIRECTION": "OUTBOUND",
    }
    return _filler(values, logged)


def _filler(values: dict[str, str], logged: LoggedAs) -> Fill:
    known = {
        **values,
        "KUMA_MESH": logged.mesh,
        "KUMA_ZONE": logged.zone,
        "KUMA_WORKLOAD": _literal(logged.workload),
    }

    def fill(text: str) -> str:
        for name, found in known.items():
            text = text.replace(f"%{name}%", found)
        return text

    return fill


def _literal(text: str) -> str:
    return text.replace("%", "%%")


@value
class Writer:
    """Who logs: with the format of those who have none of their own, and values of placeholders."""

    default: str
    logged: LoggedAs
    fill: Fill
    collectors: Collectors

    def loggers(self, backends: Iterable[Backend]) -> list[AccessLog]:
        """Of every call."""
        made = (self.logger(each, "") for each in backends)
        return [each for each in made if each is not None]

    def logger(self, backend: Backend, condition: str) -> AccessLog | None:
        """None: there is nowhere to log to."""
        made = self._logger(backend)
        if made is not None and condition:
            limit_to(made, condition)
        return made

    def _logger(self, backend: Backend) -> AccessLog | None:
        match backend:
            case Backend(type=BackendType.FILE, file=file) if file is not None:
                return self._to_file(file.path, file.format)
            case Backend(type=BackendType.TCP, tcp=tcp) if tcp is not None:
                return self._to_pipe(tcp.address, tcp.format)
            case Backend(type=BackendType.OPEN_TELEMETRY, open_telemetry=otel) if otel is not None:
                return self._to_collector(otel)
            case _:
                return None

    def _to_file(self, path: str, form: Format | None) -> AccessLog:
        omit = form is not None and form.omit_empty_values
        if form is not None and form.type is FormatType.JSON:
            return build_objects(path, self._fields(form), omit_empty=omit)
        return build_lines(path, self._line(form), omit_empty=omit)

    def _to_pipe(self, address: str, form: Format | None) -> AccessLog | None:
        """To kuma-dp, which sends on what stands under `message`. Source: Kuma's protocol."""
        if not self.logged.machine.log_pipe:
            return None
        is_json = form is not None and form.type is FormatType.JSON
        message = self._fields(form) if is_json and form else f"{self._line(form)}\n"
        return build_objects(
            self.logged.machine.log_pipe,
            {"address": address, "message": message},
            omit_empty=form is not None and form.omit_empty_values,
        )

    def _line(self, form: Format | None) -> str:
        return self.fill(self.default if form is None or form.plain is None else form.plain)

    def _fields(self, form: Format) -> dict[str, str]:
        return {field.key: self.fill(field.value) for field in form.json_ or ()}

    def _to_collector(self, backend: OtelBackend) -> AccessLog | None:
        collector, logged = find_collector(backend, self.collectors), self.logged
        if collector is None:
            return None
        is_http = collector.is_http and not is_piped(collector, logged.machine)
        about = {
            "kuma.mesh": logged.mesh,
            "kuma.zone": logged.zone,
            "kuma.workload": logged.workload,
        }
        return build_otlp(
            cluster_name(collector, self.collectors),
            log_name=_LOG_NAME,
            body=self._body(backend),
            attributes=[(each.key, self.fill(each.value)) for each in backend.attributes or ()],
            resource=[(key, text) for key, text in about.items() if text],
            url=collector.url(Signal.LOGS, local=logged.machine.host_ip) if is_http else "",
        )

    def _body(self, backend: OtelBackend) -> AnyValue:
        """Differs from Kuma, which takes the usual line where `body` is no AnyValue: here it becomes text."""
        if backend.body is None:
            return AnyValue(string_value=self.fill(self.default))
        try:
            body = ParseDict(backend.body.load(), AnyValue())
        except (ParseError, TypeError):  # the latter where a message is neither text nor object
            return AnyValue(string_value=self.fill(backend.body.text))
        _fill_in(body, self.fill)
        return body


def _fill_in(body: AnyValue, fill: Fill) -> None:
    match body.WhichOneof("value"):
        case "string_value":
            body.string_value = fill(body.string_value)
        case "array_value":
            for each in body.array_value.values:
                _fill_in(each, fill)
        case "kvlist_value":
            for pair in body.kvlist_value.values:
                pair.key = fill(pair.key)
                _fill_in(pair.value, fill)


def cluster_name(collector: Collector, known: Collectors) -> str:
    """Differs from Kuma, where names of clusters have a number: here all parts of a proxy share it."""
    if not known.is_unified:
        return f"meshaccesslog:opentelemetry:{collector.label}"
    policy = "meshaccesslog_otel" if collector.name else "meshaccesslog"
    return names.unified_collector(policy, collector.label)


def is_piped(collector: Collector, machine: Machine) -> bool:
    """Whether kuma-dp takes the records, which it does over gRPC."""
    return bool(collector.name) and machine.otel is not None


def build_cluster(backend: OtelBackend, known: Collectors, machine: Machine) -> Cluster | None:
    """None: the resource that it names does not exist."""
    collector = find_collector(backend, known)
    if collector is None:
        return None
    name = cluster_name(collector, known)
    if is_piped(collector, machine):
        return build_piped(name, collector_socket(machine.work_dir, collector.name))
    return build_collector(name, collector, machine)
