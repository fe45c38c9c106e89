"""What the schema of a MeshHealthCheck cannot say."""

import re

from kuma.policies.constraints import (
    DESTINATIONS,
    PROXIES,
    Found,
    header_additions,
    header_value,
    percentage,
    positive_duration,
    positive_when_defined,
    status_code,
    whole_percentage,
)
from kuma.policies.lists import validate_items, validate_top
from kuma.policies.meshhealthcheck.model import (
    HealthCheckConf,
    HttpHealthCheck,
    MeshHealthCheckSpec,
)
from kuma.resources.resource import Resource
from kuma.resources.target_ref import TargetRefKind
from kuma.resources.violation import Violation, at

_NOT_IN_PATH = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_PATH = re.compile(r"(/[^/\0]*)+/?")
_WINDOWS_PATH = re.compile(r'[a-zA-Z]:\\([^\\/:*?"<>|\r\n]+\\)*[^\\/:*?"<>|\r\n]*')


def validate(resource: Resource[MeshHealthCheckSpec]) -> Found:
    spec = resource.spec
    found: list[Violation] = []
    found += validate_top(
        spec.target_ref, kinds=(*PROXIES, TargetRefKind.MESH_GATEWAY), gateway_tags_allowed=True
    )
    found += validate_items("to", spec.to, DESTINATIONS, _validate_conf)
    return at("spec", found)


def _validate_conf(conf: HealthCheckConf) -> list[Violation]:
    found = [
        *positive_duration("interval", conf.interval),
        *positive_duration("timeout", conf.timeout),
        *positive_when_defined("unhealthyThreshold", conf.unhealthy_threshold),
        *positive_when_defined("healthyThreshold", conf.healthy_threshold),
        *positive_duration("initialJitter", conf.initial_jitter),
        *positive_duration("intervalJitter", conf.interval_jitter),
        *whole_percentage("intervalJitterPercent", conf.interval_jitter_percent),
        *percentage("healthyPanicThreshold", conf.healthy_panic_threshold),
        *positive_duration("noTrafficInterval", conf.no_traffic_interval),
        *_file_path("eventLogPath", conf.event_log_path),
    ]
    if conf.http is not None:
        found += at("http", _validate_http(conf.http))
    if conf.grpc is not None:
        found += header_value("grpc.authority", conf.grpc.authority)
    if conf.http is None and conf.tcp is None and conf.grpc is None:
        found.append(Violation("", "must have at least one defined: http, tcp, grpc"))
    return found


def _validate_http(http: HttpHealthCheck) -> list[Violation]:
    found = [
        *header_additions("requestHeadersToAdd", http.request_headers_to_add),
    ]
    if _NOT_IN_PATH.search(http.path or ""):
        # Differs from Kuma, as `header_value`.
        found.append(Violation("path", "must not contain control characters"))
    if http.path == "":
        found.append(Violation("path", "must be defined"))
    for index, status in enumerate(http.expected_statuses or ()):
        found += status_code(f"expectedStatuses[{index}]", status)
    return found


def _file_path(field: str, path: str | None) -> Found:
    if path is None:
        return ()
    if not _PATH.fullmatch(path) and not _WINDOWS_PATH.fullmatch(path):
        return (Violation(field, "must be a valid path when defined"),)
    if path.endswith(("/", "\\")):
        # Differs from Kuma: Envoy opens it, and refuses the cluster.
        return (Violation(field, "must be the path of a file, not of a directory"),)
    return ()
