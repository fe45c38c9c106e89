"""What the schema of a MeshAccessLog cannot say."""

import json
import re
from collections.abc import Sequence

from kuma.policies.constraints import PROXIES, Found, one_of_lists
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
)
from kuma.resources.match import validate_match
from kuma.resources.resource import Resource
from kuma.resources.target_ref import WHOLE_MESH, TargetRefKind, validate_target_ref
from kuma.resources.violation import Violation, at

_PATH = re.compile(r"(/[^/\0]*)+/?")
_ENDPOINT = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:/?#\[\]]+)(:[0-9]{1,5})?|[0-9a-fA-F:.]+")
_UNSUPPORTED = "is not supported by this version"
_DEFINED = "must be defined"


def validate(resource: Resource[MeshAccessLogSpec]) -> Found:
    spec = resource.spec
    lists = {"from": spec.from_, "to": spec.to, "rules": spec.rules}
    found: list[Violation] = []
    if spec.target_ref is not None:
        found += at(
            "targetRef",
            validate_target_ref(
                spec.target_ref,
                kinds=(*PROXIES, TargetRefKind.MESH_GATEWAY),
                is_inbound_policy=bool(spec.from_ or spec.rules),
                gateway_tags_allowed=True,
            ),
        )
    found += one_of_lists(tuple(lists), [name for name, items in lists.items() if items])
    kinds = _destinations((spec.target_ref or WHOLE_MESH).kind)
    for index, target in enumerate(spec.to or ()):
        found += at(f"to[{index}].targetRef", validate_target_ref(target.target_ref, kinds=kinds))
        found += at(f"to[{index}].default", _validate_conf(target.default))
    for index, client in enumerate(spec.from_ or ()):
        whole = (TargetRefKind.MESH,)
        found += at(f"from[{index}].targetRef", validate_target_ref(client.target_ref, kinds=whole))
        found += at(f"from[{index}].default", _validate_conf(client.default))
    for index, rule in enumerate(spec.rules or ()):
        for position, match in enumerate(rule.matches or ()):
            found += at(f"rules[{index}].matches[{position}]", validate_match(match))
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
            return (Violation("tcp", f"{_UNSUPPORTED} (access logs over TCP)"),)
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
        return [] if form.plain else [Violation("plain", "must not be empty")]
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
    try:
        json.loads(f'{{"{field.key}": "{field.value}"}}')
    except ValueError:
        found.append(Violation("", "is not a valid JSON object"))
    return found


def _validate_otel(backend: OtelBackend) -> list[Violation]:
    found: list[Violation] = []
    if backend.endpoint and backend.backend_ref is not None:
        text = "openTelemetry must have only one type defined: endpoint, backendRef"
        found.append(Violation("", text))
    elif not backend.endpoint and backend.backend_ref is None:
        text = "openTelemetry must have exactly one defined: endpoint, backendRef"
        found.append(Violation("", text))
    elif backend.backend_ref is not None:
        text = f"{_UNSUPPORTED} ({backend.backend_ref.kind})"
        found.append(Violation("backendRef", text))
    else:
        found += _validate_endpoint(backend.endpoint)
    for index, attribute in enumerate(backend.attributes or ()):
        found += at(f"attributes[{index}].key", _validate_attribute(attribute))
    return found


def _validate_endpoint(endpoint: str) -> Found:
    """Differs from Kuma, which sends everything that is no address to DNS."""
    if re.search(r"[/?#]", endpoint):
        return (Violation("endpoint", "must be in host:port format, not a URL"),)
    if not _ENDPOINT.fullmatch(endpoint) or not 0 <= _port(endpoint) < 65536:
        return (Violation("endpoint", "must be in host:port format"),)
    return ()


def _port(endpoint: str) -> int:
    found = _ENDPOINT.fullmatch(endpoint)
    return int(found[2][1:]) if found is not None and found[2] else 0


def _validate_attribute(attribute: OtelAttribute) -> Found:
    if attribute.key.startswith("otel."):
        text = "must not use the reserved OpenTelemetry prefix 'otel.'"
        return (Violation("", text),)
    return ()
