"""What the schema of a MeshAccessLog cannot say."""

import json
import re
from collections.abc import Iterator, Sequence

from kuma.policies.addresses import has_port
from kuma.policies.collectors import validate_collector
from kuma.policies.constraints import PROXIES, Found
from kuma.policies.lists import one_of_lists, validate_items, validate_matches, validate_top
from kuma.policies.log_operators import check_operators
from kuma.policies.meshaccesslog.model import (
    AccessLogConf,
    Backend,
    BackendType,
    FileBackend,
    Format,
    FormatType,
    JsonField,
    MeshAccessLogSpec,
    OtelAttribute,
    OtelBackend,
    TcpBackend,
)
from kuma.resources.resource import Resource
from kuma.resources.target_ref import WHOLE_MESH, TargetRefKind
from kuma.resources.violation import Violation, at

_PATH = re.compile(r"(/[^/\0]*)+/?")
_DEFINED = "must be defined"


def validate(resource: Resource[MeshAccessLogSpec]) -> Found:
    spec = resource.spec
    lists = {"from": spec.from_, "to": spec.to, "rules": spec.rules}
    found: list[Violation] = []
    found += validate_top(
        spec.target_ref,
        kinds=(*PROXIES, TargetRefKind.MESH_GATEWAY),
        is_inbound_policy=bool(spec.from_ or spec.rules),
        gateway_tags_allowed=True,
    )
    found += one_of_lists(tuple(lists), [name for name, items in lists.items() if items])
    kinds = _destinations((spec.target_ref or WHOLE_MESH).kind)
    found += validate_items("to", spec.to, kinds, _validate_conf)
    found += validate_items("from", spec.from_, (TargetRefKind.MESH,), _validate_conf)
    for index, rule in enumerate(spec.rules or ()):
        found += at(f"rules[{index}]", validate_matches(rule.matches))
        found += at(f"rules[{index}].default", _validate_conf(rule.default))
    return at("spec", found)


def _destinations(top: TargetRefKind) -> tuple[TargetRefKind, ...]:
    if top is TargetRefKind.MESH_GATEWAY:
        return (TargetRefKind.MESH,)
    return (
        TargetRefKind.MESH,
        TargetRefKind.MESH_SERVICE,
        TargetRefKind.MESH_EXTERNAL_SERVICE,
        TargetRefKind.MESH_MULTI_ZONE_SERVICE,
        TargetRefKind.MESH_HTTP_ROUTE,
    )


def _validate_conf(conf: AccessLogConf) -> list[Violation]:
    if conf.backends is None:
        return [Violation("backends", _DEFINED)]
    return [
        violation
        for index, backend in enumerate(conf.backends)
        for violation in at(f"backends[{index}]", _validate_backend(backend))
    ]


def _validate_backend(backend: Backend) -> Sequence[Violation]:
    match backend.type:
        case BackendType.FILE if backend.file is not None:
            return at("file", _validate_file(backend.file))
        case BackendType.FILE:
            return (Violation("file", _DEFINED),)
        case BackendType.TCP if backend.tcp is not None:
            return at("tcp", _validate_tcp(backend.tcp))
        case BackendType.TCP:
            return (Violation("tcp", _DEFINED),)
        case BackendType.OPEN_TELEMETRY if backend.open_telemetry is not None:
            return at("openTelemetry", _validate_otel(backend.open_telemetry))
        case BackendType.OPEN_TELEMETRY:
            return (Violation("openTelemetry", _DEFINED),)


def _validate_file(file: FileBackend) -> list[Violation]:
    found: list[Violation] = []
    if file.format is not None:
        found += at("format", _validate_format(file.format))
    if not _PATH.fullmatch(file.path):
        found.append(Violation("path", "file backend requires a valid path"))
    return found


def _validate_format(form: Format) -> list[Violation]:
    if form.type is FormatType.PLAIN:
        if form.plain is None:
            return [Violation("plain", _DEFINED)]
        if not form.plain:
            return [Violation("plain", "must not be empty")]
        return list(check_operators("plain", form.plain))
    if form.json_ is None:
        return [Violation("json", _DEFINED)]
    if not form.json_:
        return [Violation("json", "must not be empty")]
    return [
        violation
        for index, field in enumerate(form.json_)
        for violation in at(f"json[{index}]", _validate_field(field))
    ]


def _validate_field(field: JsonField) -> list[Violation]:
    found = []
    if not field.key:
        found.append(Violation("key", "key cannot be empty"))
    if not field.value:
        found.append(Violation("value", "value cannot be empty"))
    found += check_operators("value", field.value)
    try:
        json.loads(f'{{"{field.key}": "{field.value}"}}')
    except ValueError:
        found.append(Violation("", "is not a valid JSON object"))
    return found


def _validate_tcp(backend: TcpBackend) -> list[Violation]:
    """Differs from Kuma, which takes what `kuma-dp` then cannot connect to."""
    found: list[Violation] = []
    if backend.format is not None:
        found += at("format", _validate_format(backend.format))
    if not has_port(backend.address):
        found.append(Violation("address", "tcp backend requires valid address"))
    return found


def _validate_otel(backend: OtelBackend) -> list[Violation]:
    found = list(validate_collector(backend.endpoint, backend.backend_ref))
    for index, attribute in enumerate(backend.attributes or ()):
        found += at(f"attributes[{index}].key", _validate_attribute(attribute))
        found += check_operators(f"attributes[{index}].value", attribute.value)
    for text in () if backend.body is None else _texts(backend.body.load()):
        found += check_operators("body", text)
    return found


def _texts(raw: object) -> Iterator[str]:
    if isinstance(raw, str):
        yield raw
    elif isinstance(raw, dict | list):
        for each in (*raw, *raw.values()) if isinstance(raw, dict) else raw:
            yield from _texts(each)


def _validate_attribute(attribute: OtelAttribute) -> Found:
    if attribute.key.startswith("otel."):
        text = "must not use the reserved OpenTelemetry prefix 'otel.'"
        return (Violation("", text),)
    return ()
