"""What the schema of a MeshTrace cannot say.

Differs from Kuma, which takes what Envoy then refuses, or never reaches: collectors at an address
that nobody can connect to, tags without a value or with a header that cannot be.
"""

import re
from collections.abc import Iterator

from kuma.policies.addresses import HTTP, HTTPS, Url, is_host, parse_url
from kuma.policies.collectors import validate_collector
from kuma.policies.constraints import PROXIES, Found, is_system_policy
from kuma.policies.lists import validate_top
from kuma.policies.meshtrace.model import (
    Backend,
    BackendType,
    DatadogBackend,
    MeshTraceSpec,
    OpenTelemetryBackend,
    Sampling,
    Tag,
    TraceConf,
    ZipkinBackend,
)
from kuma.resources.resource import Resource
from kuma.resources.spec import parse_decimal
from kuma.resources.target_ref import TargetRefKind
from kuma.resources.violation import Violation, at

_DEFINED = "must be defined"
_UNDEFINED = "must not be defined"
_NOT_EMPTY = "must not be empty"
_NO_URL = "must be a valid url"
_NO_PORT = "port must be a valid (1-65535)"
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def validate(resource: Resource[MeshTraceSpec]) -> Found:
    spec = resource.spec
    kinds = (*PROXIES, TargetRefKind.MESH_GATEWAY) if is_system_policy(resource) else PROXIES
    top = validate_top(spec.target_ref, kinds=kinds)
    return at("spec", (*top, *at("default", tuple(_validate_conf(spec.default)))))


def _validate_conf(conf: TraceConf) -> Iterator[Violation]:
    if conf.backends is None:
        yield Violation("backends", _DEFINED)
    for index, backend in enumerate(conf.backends or ()):
        yield from at(f"backends[{index}]", list(_validate_backend(backend)))
    for index, tag in enumerate(conf.tags or ()):
        yield from at(f"tags[{index}]", list(_validate_tag(tag)))
    if conf.sampling is not None:
        yield from at("sampling", list(_validate_sampling(conf.sampling)))


def _validate_backend(backend: Backend) -> Iterator[Violation]:
    match backend:
        case Backend(type=BackendType.ZIPKIN, zipkin=ZipkinBackend(url=url)):
            yield from (Violation("zipkin.url", text) for text in _zipkin_errors(url))
        case Backend(type=BackendType.DATADOG, datadog=DatadogBackend(url=url)):
            yield from (Violation("datadog.url", text) for text in _datadog_errors(url))
        case Backend(type=BackendType.OPEN_TELEMETRY, open_telemetry=OpenTelemetryBackend() as to):
            yield from at("openTelemetry", list(validate_collector(to.endpoint, to.backend_ref)))
        case _:
            yield Violation(f"{backend.type[:1].lower()}{backend.type[1:]}", _DEFINED)


def _zipkin_errors(text: str) -> Iterator[str]:
    url = parse_url(text)
    if not text:
        yield _NOT_EMPTY
    elif url is None or url.opaque or not is_host(url.host):
        yield _NO_URL
    elif url.scheme not in {HTTP, HTTPS}:
        yield "scheme must be http or https"
    elif not url.port_number:
        yield _NO_PORT


def _datadog_errors(text: str) -> Iterator[str]:
    url = parse_url(text)
    if url is None:
        yield _NO_URL
        return
    found = [*_datadog_address_errors(url)]
    present = {
        "opaque": bool(url.opaque),
        "user": url.user is not None,
        "path": bool(url.path),
        "query": bool(url.query),
    }
    found += [f"{name} {_UNDEFINED}" for name, is_present in present.items() if is_present]
    yield from found
    if not found and not is_host(url.host):
        yield f"host {_DEFINED}"


def _datadog_address_errors(url: Url) -> Iterator[str]:
    if url.scheme != HTTP:
        yield "scheme must be http"
    if not url.port:
        yield f"port {_DEFINED}"
    elif not url.port_number:
        yield _NO_PORT


def _validate_tag(tag: Tag) -> Iterator[Violation]:
    if not tag.name:
        yield Violation("name", _NOT_EMPTY)
    if (tag.header is None) == (tag.literal is None):
        yield Violation("", "tag must have only one type defined: header, literal")
    elif tag.literal == "":
        yield Violation("literal", _NOT_EMPTY)
    elif tag.header is not None and not _HEADER_NAME.fullmatch(tag.header.name):
        yield Violation("header.name", "must be a valid name of a header")


def _validate_sampling(sampling: Sampling) -> Iterator[Violation]:
    shares = {
        "overall": sampling.overall,
        "client": sampling.client,
        "random": sampling.random,
    }
    for field, share in shares.items():
        if share is None:
            continue
        parsed = parse_decimal(share)
        if parsed is None:
            yield Violation(field, "string is not a number")
        elif not 0 <= parsed <= 100:
            yield Violation(field, "must be between 0 and 100")
