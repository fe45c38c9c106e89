"""Access loggers: lines in a file or a pipe, records to an OpenTelemetry collector.

Source: https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from envoy.config.accesslog.v3.accesslog_pb2 import AccessLog, AccessLogFilter, ExtensionFilter
from envoy.config.core.v3.config_source_pb2 import ApiVersion
from envoy.config.core.v3.substitution_format_string_pb2 import SubstitutionFormatString
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.extensions.access_loggers.file.v3.file_pb2 import FileAccessLog
from envoy.extensions.access_loggers.filters.cel.v3.cel_pb2 import ExpressionFilter
from envoy.extensions.access_loggers.open_telemetry.v3.logs_service_pb2 import (
    OpenTelemetryAccessLogConfig,
)
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from envoy.extensions.filters.network.tcp_proxy.v3.tcp_proxy_pb2 import TcpProxy
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue, KeyValueList
from xds.type.v3.typed_struct_pb2 import TypedStruct

from kuma.envoy.listener import CONNECTION_MANAGER, TCP_PROXY
from kuma.envoy.message import pack

_FILE, _OTEL = "envoy.access_loggers.file", "envoy.access_loggers.open_telemetry"
_CEL = "envoy.access_loggers.extension_filters.cel"
_ENDS: Mapping[str, type[TcpProxy] | type[HttpConnectionManager]] = {
    TCP_PROXY: TcpProxy,
    CONNECTION_MANAGER: HttpConnectionManager,
}
_TYPES = "type.googleapis.com/"
_TIMEOUT = "10s"
"""Of one request over HTTP. Source: Kuma, for spans."""


def build_lines(path: str, line: str, *, omit_empty: bool) -> AccessLog:
    form = SubstitutionFormatString(omit_empty_values=omit_empty)
    form.text_format_source.inline_string = f"{line}\n"
    return _file(path, form)


def build_objects(path: str, fields: Mapping[str, Any], *, omit_empty: bool) -> AccessLog:
    """A JSON object in each line."""
    form = SubstitutionFormatString(omit_empty_values=omit_empty)
    form.json_format.update(fields)
    return _file(path, form)


def build_otlp(  # what a record is made of, and where it goes
    cluster: str,
    *,
    log_name: str,
    body: AnyValue,
    attributes: Iterable[tuple[str, str]],
    resource: Iterable[tuple[str, str]],
    url: str = "",
) -> AccessLog:
    """Records go to a cluster over gRPC, or by requests for `url`."""
    config = OpenTelemetryAccessLogConfig(
        body=body, attributes=_pairs(attributes), resource_attributes=_pairs(resource)
    )
    if url:
        return AccessLog(name=_OTEL, typed_config=pack(_over_http(config, log_name, cluster, url)))
    config.common_config.log_name = log_name
    config.common_config.transport_api_version = ApiVersion.V3
    config.common_config.grpc_service.envoy_grpc.cluster_name = cluster
    return AccessLog(name=_OTEL, typed_config=pack(config))


def limit_to(logger: AccessLog, expression: str) -> None:
    """To the requests for which an expression in the Common Expression Language holds."""
    condition = pack(ExpressionFilter(expression=expression))
    only = ExtensionFilter(name=_CEL, typed_config=condition)
    logger.filter.CopyFrom(AccessLogFilter(extension_filter=only))


def add_to_chains(listener: Listener, loggers: Sequence[AccessLog]) -> None:
    """To what ends each chain: a TCP proxy or a connection manager."""
    for chain in listener.filter_chains if loggers else ():
        for each in chain.filters:
            end = _ENDS.get(each.name)
            if end is not None:
                made = end.FromString(each.typed_config.value)
                made.access_log.extend(loggers)
                each.typed_config.CopyFrom(pack(made))


def _file(path: str, form: SubstitutionFormatString) -> AccessLog:
    return AccessLog(name=_FILE, typed_config=pack(FileAccessLog(path=path, log_format=form)))


def _over_http(
    config: OpenTelemetryAccessLogConfig, log_name: str, cluster: str, url: str
) -> TypedStruct:
    """By the names of fields: Envoy has them, the generated classes do not have them yet."""
    made = TypedStruct(type_url=_TYPES + config.DESCRIPTOR.full_name)
    uri = {"uri": url, "cluster": cluster, "timeout": _TIMEOUT}
    made.value.update(MessageToDict(config))
    made.value.update({"logName": log_name, "httpService": {"httpUri": uri}})
    return made


def _pairs(pairs: Iterable[tuple[str, str]]) -> KeyValueList:
    return KeyValueList(
        values=[KeyValue(key=key, value=AnyValue(string_value=text)) for key, text in pairs]
    )
