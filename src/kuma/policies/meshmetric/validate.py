"""What the schema of a MeshMetric cannot say.

Differs from Kuma: fields are called as they are written, `backends[0].prometheus.port` where Kuma says
`backends.backend[0].port`; and what nobody can serve is refused: paths that are none, two Prometheus at
one port or of one name, two collectors of one name, intervals of no length.
"""

import re
from collections.abc import Iterator
from datetime import timedelta

from kuma.kit.regex import find_regex_error
from kuma.policies.addresses import has_port, is_host
from kuma.policies.collectors import validate_collector
from kuma.policies.constraints import PROXIES, Found, is_system_policy
from kuma.policies.lists import validate_top
from kuma.policies.meshmetric.model import (
    Application,
    Backend,
    BackendType,
    MeshMetricSpec,
    MetricConf,
    OpenTelemetryBackend,
    PrometheusBackend,
    Selector,
    SelectorType,
    Sidecar,
)
from kuma.resources.resource import Resource
from kuma.resources.target_ref import TargetRefKind
from kuma.resources.violation import Violation, at

_DEFINED = "must be defined"
_PORTS = range(1, 65536)
_NO_PORT = "port must be a valid (1-65535)"
_PATH = re.compile(r"/[!-~]*")
_SHORTEST = timedelta(seconds=1)


def validate(resource: Resource[MeshMetricSpec]) -> Found:
    spec = resource.spec
    kinds = (*PROXIES, TargetRefKind.MESH_GATEWAY) if is_system_policy(resource) else PROXIES
    top = validate_top(spec.target_ref, kinds=kinds, gateway_tags_allowed=True)
    return at("spec", (*top, *at("default", tuple(_validate_conf(spec.default)))))


def _validate_conf(conf: MetricConf) -> Iterator[Violation]:
    if conf.sidecar is not None:
        yield from at("sidecar.profiles", list(_validate_profiles(conf.sidecar)))
    for index, application in enumerate(conf.applications or ()):
        yield from at(f"applications[{index}]", list(_validate_application(application)))
    for index, backend in enumerate(conf.backends or ()):
        yield from at(f"backends[{index}]", list(_validate_backend(backend)))
    yield from _validate_distinct(conf.backends or ())


def _validate_profiles(sidecar: Sidecar) -> Iterator[Violation]:
    if sidecar.profiles is None:
        return
    lists = {"exclude": sidecar.profiles.exclude, "include": sidecar.profiles.include}
    for field, selectors in lists.items():
        for index, selector in enumerate(selectors or ()):
            yield from at(f"{field}[{index}]", list(_validate_selector(selector)))


def _validate_selector(selector: Selector) -> Iterator[Violation]:
    if selector.type is SelectorType.REGEX and find_regex_error(selector.match) is not None:
        yield Violation("match", "invalid regex")


def _validate_application(application: Application) -> Iterator[Violation]:
    if application.port not in _PORTS:
        yield Violation("port", _NO_PORT)
    if application.address and not is_host(application.address):
        yield Violation("address", "must be an IP address or a name of a host")
    yield from _validate_path(application.path)


def _validate_path(path: str) -> Iterator[Violation]:
    if not _PATH.fullmatch(path):
        yield Violation("path", "must start with / and have no spaces")


def _validate_backend(backend: Backend) -> Iterator[Violation]:
    match backend:
        case Backend(type=BackendType.PROMETHEUS, prometheus=PrometheusBackend() as found):
            yield from at("prometheus", list(_validate_prometheus(found)))
        case Backend(type=BackendType.OPEN_TELEMETRY, open_telemetry=OpenTelemetryBackend() as to):
            yield from at("openTelemetry", list(_validate_open_telemetry(to)))
        case _:
            yield Violation(f"{backend.type[:1].lower()}{backend.type[1:]}", _DEFINED)


def _validate_prometheus(backend: PrometheusBackend) -> Iterator[Violation]:
    if backend.client_id is not None and not backend.client_id.strip():
        yield Violation("clientId", "must not be empty")
    if backend.port not in _PORTS:
        yield Violation("port", _NO_PORT)
    yield from _validate_path(backend.path)


def _validate_open_telemetry(backend: OpenTelemetryBackend) -> Iterator[Violation]:
    found = tuple(validate_collector(backend.endpoint, backend.backend_ref))
    yield from found
    if not found and backend.endpoint and not has_port(backend.endpoint):
        yield Violation("endpoint", "must be in host:port format")
    if backend.refresh_interval is not None and backend.refresh_interval < _SHORTEST:
        yield Violation("refreshInterval", "must be at least 1s")


def _validate_distinct(backends: tuple[Backend, ...]) -> Iterator[Violation]:
    seen: set[tuple[str, object]] = set()
    for index, backend in enumerate(backends):
        for path, found in _identities(backend):
            if (path, found) in seen:
                yield Violation(f"backends[{index}].{path}", "must not be that of another backend")
            seen.add((path, found))


def _identities(backend: Backend) -> Iterator[tuple[str, object]]:
    if backend.type is BackendType.PROMETHEUS and backend.prometheus is not None:
        yield "prometheus.port", backend.prometheus.port
        yield "prometheus.clientId", backend.prometheus.name
    if backend.type is BackendType.OPEN_TELEMETRY and backend.open_telemetry is not None:
        to = backend.open_telemetry
        if to.backend_ref is not None:
            yield "openTelemetry.backendRef", to.backend_ref
        elif to.endpoint:
            yield "openTelemetry.endpoint", to.endpoint
