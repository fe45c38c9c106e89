"""AccessLogConf and InboundLogs -> access loggers of connection managers and TCP proxies.

Kuma's placeholders stand for what the control plane knows, so they are filled in here; Envoy's
operators are for Envoy. The source of a call that comes in is the client's address.
Differs from Kuma, where it is the proxy's own.
Source: https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence

from envoy.config.accesslog.v3.accesslog_pb2 import AccessLog, AccessLogFilter, ExtensionFilter
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.config_source_pb2 import ApiVersion
from envoy.config.core.v3.substitution_format_string_pb2 import SubstitutionFormatString
from envoy.extensions.access_loggers.file.v3.file_pb2 import FileAccessLog
from envoy.extensions.access_loggers.filters.cel.v3.cel_pb2 import ExpressionFilter
from envoy.extensions.access_loggers.open_telemetry.v3.logs_service_pb2 import (
    OpenTelemetryAccessLogConfig,
)
from google.protobuf.json_format import ParseDict, ParseError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue, KeyValueList

from kuma.envoy.cluster import build_collector
from kuma.envoy.message import pack
from kuma.envoy.shaper import InboundChain, OutboundChain, Shaper
from kuma.plan.logged import LoggedAs
from kuma.plan.protocol import Protocol
from kuma.plan.proxy import Inbound, Outbound
from kuma.plan.route import HttpRouting
from kuma.policies.meshaccesslog.model import (
    AccessLogConf,
    Backend,
    BackendType,
    FileBackend,
    Format,
    FormatType,
    InboundLogs,
    OtelBackend,
)
from kuma.resources.match import Match, SpiffeMatchType

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

OTLP_PORT = 4317
UNKNOWN = "unknown"
_LOG_NAME = "MeshAccessLog"
_FILE, _OTEL = "envoy.access_loggers.file", "envoy.access_loggers.open_telemetry"
_CEL = "envoy.access_loggers.extension_filters.cel"

Fill = Callable[[str], str]


class AccessLogShaper(Shaper):
    def inbound_chain(self, chain: InboundChain) -> None:
        logs = chain.inbound.conf.get(InboundLogs)
        logged = chain.inbound.conf.get(LoggedAs)
        if logs is None or logged is None:
            return
        fill = _inbound_values(chain.inbound, logged)
        loggers = [
            _logger(each.backend, chain.inbound.protocol, logged, fill, _condition(each.match))
            for each in logs.logs
        ]
        _add(chain, loggers)
        chain.inspects_tls |= any(each.match and each.match.sni for each in logs.logs)

    def outbound_chain(self, chain: OutboundChain) -> None:
        logged = chain.outbound.conf.get(LoggedAs)
        if logged is None:
            return
        fill = _outbound_values(chain.outbound, logged)
        _add(
            chain,
            [
                _logger(backend, chain.outbound.protocol, logged, fill, condition)
                for conf, condition in _confs(chain.outbound)
                for backend in conf.backends or ()
            ],
        )

    def beside(self, part: Inbound | Outbound) -> Iterator[Cluster]:
        """The collectors."""
        if isinstance(part, Inbound):
            logs = part.conf.get(InboundLogs)
            backends = [each.backend for each in logs.logs] if logs is not None else []
        else:
            backends = [each for conf, _ in _confs(part) for each in conf.backends or ()]
        for backend in backends:
            if backend.open_telemetry is not None and backend.type is BackendType.OPEN_TELEMETRY:
                host, port = _address(backend.open_telemetry.endpoint)
                yield build_collector(_collector(backend.open_telemetry), host, port)


def _add(chain: InboundChain | OutboundChain, loggers: Sequence[AccessLog]) -> None:
    if chain.http is not None:
        chain.http.manager.access_log.extend(loggers)
    if chain.tcp is not None:
        chain.tcp.access_log.extend(loggers)


def _confs(outbound: Outbound) -> Iterator[tuple[AccessLogConf, str]]:
    """What holds for the outbound; where it differs from route to route each with a condition."""
    whole = outbound.conf.get(AccessLogConf)
    by_conf: dict[AccessLogConf | None, list[str]] = {}
    if isinstance(outbound.routing, HttpRouting):
        for route in outbound.routing.routes:
            by_conf.setdefault(route.conf.get(AccessLogConf), []).append(route.name)
    if not by_conf or by_conf.keys() == {whole}:
        by_conf = {whole: []}
    for conf, routes in by_conf.items():
        if conf is not None:
            yield conf, f"xds.route_name in {json.dumps(routes)}" if routes else ""


def _condition(match: Match | None) -> str:
    """In the Common Expression Language; empty: always."""
    parts = []
    if match is not None and match.spiffe_id is not None:
        uri, text = "connection.uri_san_peer_certificate", json.dumps(match.spiffe_id.value)
        is_prefix = match.spiffe_id.type is SpiffeMatchType.PREFIX
        parts.append(f"{uri}.startsWith({text})" if is_prefix else f"{uri} == {text}")
    if match is not None and match.sni is not None:
        parts.append(f"connection.requested_server_name == {json.dumps(match.sni.value)}")
    return " && ".join(parts)


def _inbound_values(inbound: Inbound, logged: LoggedAs) -> Fill:
    values = {
        "KUMA_SOURCE_ADDRESS": "%DOWNSTREAM_REMOTE_ADDRESS%",
        "KUMA_SOURCE_ADDRESS_WITHOUT_PORT": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        "KUMA_SOURCE_SERVICE": UNKNOWN,
        "KUMA_DESTINATION_SERVICE": _literal(inbound.service or UNKNOWN),
        "KUMA_TRAFFIC_DIRECTION": "INBOUND",
    }
    return _filler(values, logged)


def _outbound_values(outbound: Outbound, logged: LoggedAs) -> Fill:
    host = f"[{logged.address}]" if ":" in logged.address else logged.address
    values = {
        "KUMA_SOURCE_ADDRESS": f"{host}:0",
        "KUMA_SOURCE_ADDRESS_WITHOUT_PORT": logged.address,
        "KUMA_SOURCE_SERVICE": _literal(logged.service),
        "KUMA_DESTINATION_SERVICE": _literal(outbound.service),
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


def _logger(
    backend: Backend, protocol: Protocol, logged: LoggedAs, fill: Fill, condition: str
) -> AccessLog:
    default = HTTP_FORMAT if protocol.is_http else TCP_FORMAT
    made = AccessLog()
    if backend.type is BackendType.FILE and backend.file is not None:
        made.name = _FILE
        made.typed_config.CopyFrom(pack(_file(backend.file, default, fill)))
    elif backend.open_telemetry is not None:
        made.name = _OTEL
        made.typed_config.CopyFrom(pack(_otel(backend.open_telemetry, default, logged, fill)))
    if condition:
        expression = ExpressionFilter(expression=condition)
        made.filter.CopyFrom(
            AccessLogFilter(
                extension_filter=ExtensionFilter(name=_CEL, typed_config=pack(expression))
            )
        )
    return made


def _file(backend: FileBackend, default: str, fill: Fill) -> FileAccessLog:
    return FileAccessLog(path=backend.path, log_format=_format(backend.format, default, fill))


def _format(form: Format | None, default: str, fill: Fill) -> SubstitutionFormatString:
    made = SubstitutionFormatString(omit_empty_values=form is not None and form.omit_empty_values)
    if form is not None and form.type is FormatType.JSON and form.json_ is not None:
        for field in form.json_:
            made.json_format.fields[field.key].string_value = fill(field.value)
    else:
        line = default if form is None or form.plain is None else form.plain
        made.text_format_source.inline_string = f"{fill(line)}\n"
    return made


def _otel(
    backend: OtelBackend, default: str, logged: LoggedAs, fill: Fill
) -> OpenTelemetryAccessLogConfig:
    made = OpenTelemetryAccessLogConfig(
        body=_body(backend, default, fill),
        attributes=_pairs((each.key, fill(each.value)) for each in backend.attributes or ()),
        resource_attributes=_pairs(
            pair
            for pair in (
                ("kuma.mesh", logged.mesh),
                ("kuma.zone", logged.zone),
                ("kuma.workload", logged.workload),
            )
            if pair[1]
        ),
    )
    made.common_config.log_name = _LOG_NAME
    made.common_config.transport_api_version = ApiVersion.V3
    made.common_config.grpc_service.envoy_grpc.cluster_name = _collector(backend)
    return made


def _body(backend: OtelBackend, default: str, fill: Fill) -> AnyValue:
    if backend.body is None:
        return AnyValue(string_value=fill(default))
    try:
        body = ParseDict(backend.body.load(), AnyValue())
    except ParseError:
        return AnyValue(string_value=fill(backend.body.text))
    _fill_in(body, fill)
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


def _pairs(pairs: Iterable[tuple[str, str]]) -> KeyValueList:
    return KeyValueList(
        values=[KeyValue(key=key, value=AnyValue(string_value=text)) for key, text in pairs]
    )


def _collector(backend: OtelBackend) -> str:
    """Differs from Kuma, where the name has a number: here all parts of a proxy share the cluster."""
    host, port = _address(backend.endpoint)
    return f"meshaccesslog:opentelemetry:{host}:{port}"


def _address(endpoint: str) -> tuple[str, int]:
    """An IPv6 address without brackets has no port."""
    if endpoint.count(":") > 1 and not endpoint.startswith("["):
        return endpoint, OTLP_PORT
    bracketed, _, after = endpoint.rpartition("]")
    host, _, port = after.partition(":") if not bracketed else (bracketed[1:], "", after[1:])
    return host, int(port or 0) or OTLP_PORT


SHAPER = AccessLogShaper()
