"""AccessLogConf and InboundLogs -> access loggers of connection managers and TCP proxies.

Kuma's placeholders stand for what the control plane knows, so they are filled in here; Envoy's
operators are for Envoy. The source of a call that comes in is the client's address.
Differs from Kuma, where it is the proxy's own; where a proxy without a pipe fills a file with what is
for TCP; and where records over HTTP need kuma-dp in between.
Source: https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from envoy.config.accesslog.v3.accesslog_pb2 import AccessLog
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from google.protobuf.json_format import ParseDict, ParseError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from kuma.envoy.access_log import (
    add_to_chains,
    build_lines,
    build_objects,
    build_otlp,
    limit_to,
)
from kuma.envoy.cluster import build_collector
from kuma.envoy.shaper import InboundChain, OutboundChain, PassedOut, Shaper
from kuma.kit.value import value
from kuma.plan import names
from kuma.plan.collector import LOGS, Collector, Collectors
from kuma.plan.logged import LoggedAs
from kuma.plan.proxy import Inbound, Outbound
from kuma.plan.route import HttpRouting
from kuma.policies.collectors import parse_endpoint
from kuma.policies.meshaccesslog.model import (
    AccessLogConf,
    Backend,
    BackendType,
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

UNKNOWN = "unknown"
_OUTSIDE = "external"
_LOG_NAME = "MeshAccessLog"

Fill = Callable[[str], str]


@value
class _Reported:
    """A collector, under the name of its cluster."""

    cluster: str
    collector: Collector


class AccessLogShaper(Shaper):
    kind = "MeshAccessLog"

    def inbound_chain(self, chain: InboundChain) -> None:
        logs, logged = chain.inbound.conf.get(InboundLogs), chain.inbound.conf.get(LoggedAs)
        if logs is None or logged is None:
            return
        writer = _Writer(
            HTTP_FORMAT if chain.inbound.protocol.is_http else TCP_FORMAT,
            logged,
            _inbound_values(chain.inbound, logged),
            _collectors(chain.inbound),
        )
        _add(chain, [writer.logger(each.backend, _condition(each.match)) for each in logs.logs])
        chain.inspects_tls |= any(each.match and each.match.sni for each in logs.logs)

    def outbound_chain(self, chain: OutboundChain) -> None:
        logged = chain.outbound.conf.get(LoggedAs)
        if logged is None:
            return
        writer = _Writer(
            HTTP_FORMAT if chain.outbound.protocol.is_http else TCP_FORMAT,
            logged,
            _values_to(chain.outbound.service, logged),
            _collectors(chain.outbound),
        )
        _add(
            chain,
            [
                writer.logger(backend, condition)
                for conf, condition in _confs(chain.outbound)
                for backend in conf.backends or ()
            ],
        )

    def passed_out(self, made: PassedOut) -> Iterator[Cluster]:
        """Differs from Kuma, whose line without a format of its own is `tcp`."""
        logged, conf = made.plan.conf.get(LoggedAs), made.plan.conf.get(AccessLogConf)
        if logged is None or conf is None:
            return
        known = made.plan.conf.get(Collectors) or Collectors()
        known = replace(known, is_unified=made.plan.is_unified)
        writer = _Writer(TCP_FORMAT, logged, _values_to(_OUTSIDE, logged), known)
        made_loggers = [writer.logger(each, "") for each in conf.backends or ()]
        add_to_chains(made.listener, [each for each in made_loggers if each is not None])
        yield from _clusters(conf.backends or (), known, logged)

    def beside(self, part: Inbound | Outbound) -> Iterator[Cluster]:
        """The collectors."""
        logged = part.conf.get(LoggedAs)
        if logged is None:
            return
        yield from _clusters(_backends(part), _collectors(part), logged)


def _add(chain: InboundChain | OutboundChain, loggers: Sequence[AccessLog | None]) -> None:
    made = [each for each in loggers if each is not None]
    if chain.http is not None:
        chain.http.manager.access_log.extend(made)
    if chain.tcp is not None:
        chain.tcp.access_log.extend(made)


def _clusters(
    backends: Iterable[Backend], known: Collectors, logged: LoggedAs
) -> Iterator[Cluster]:
    for backend in backends:
        if backend.open_telemetry is not None and backend.type is BackendType.OPEN_TELEMETRY:
            found = _reported(backend.open_telemetry, known)
            if found is not None:
                yield build_collector(found.cluster, found.collector, logged.machine)


def _backends(part: Inbound | Outbound) -> list[Backend]:
    if isinstance(part, Inbound):
        logs = part.conf.get(InboundLogs)
        return [each.backend for each in logs.logs] if logs is not None else []
    return [each for conf, _ in _confs(part) for each in conf.backends or ()]


def _collectors(part: Inbound | Outbound) -> Collectors:
    """What the backends of a part, and of its routes, may name."""
    routing = part.routing if isinstance(part, Outbound) else None
    routes = routing.routes if isinstance(routing, HttpRouting) else ()
    known = [conf.get(Collectors) for conf in (part.conf, *(route.conf for route in routes))]
    return Collectors(
        tuple(dict.fromkeys(pair for each in known if each is not None for pair in each.found)),
        is_unified=bool(part.unified_name),
    )


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


def _values_to(service: str, logged: LoggedAs) -> Fill:
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
class _Writer:
    """Who logs: with the format of those who have none of their own, and values of placeholders."""

    default: str
    logged: LoggedAs
    fill: Fill
    collectors: Collectors

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
        found = _reported(backend, self.collectors)
        if found is None:
            return None
        logged, collector = self.logged, found.collector
        about = {
            "kuma.mesh": logged.mesh,
            "kuma.zone": logged.zone,
            "kuma.workload": logged.workload,
        }
        return build_otlp(
            found.cluster,
            log_name=_LOG_NAME,
            body=self._body(backend),
            attributes=[(each.key, self.fill(each.value)) for each in backend.attributes or ()],
            resource=[(key, text) for key, text in about.items() if text],
            url=collector.url(LOGS, local=logged.machine.host_ip) if collector.is_http else "",
        )

    def _body(self, backend: OtelBackend) -> AnyValue:
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


def _reported(backend: OtelBackend, known: Collectors) -> _Reported | None:
    """None: the resource that it names does not exist. Differs from Kuma, where names of clusters
    have a number: here all parts of a proxy share the cluster."""
    if backend.backend_ref is not None:
        found = known.find(backend.backend_ref)
        name = "" if found is None else found.name
        unified = names.unified_collector("meshaccesslog_otel", name)
    else:
        at = parse_endpoint(backend.endpoint)
        found = None if at is None else Collector("", at.host, at.port)
        name = "" if at is None else f"{at.host}:{at.port}"
        unified = names.unified_collector("meshaccesslog", name)
    cluster = unified if known.is_unified else f"meshaccesslog:opentelemetry:{name}"
    return None if found is None else _Reported(cluster, found)


SHAPER = AccessLogShaper()
