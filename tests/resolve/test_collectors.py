"""Which MeshOpenTelemetryBackend a reference stands for, and where that is."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from kuma.plan.collector import Collector
from kuma.plan.signal import Signal
from kuma.resolve.collectors import find_collector
from kuma.resources.backend_resource_ref import BackendResourceKind, BackendResourceRef
from kuma.resources.kinds.mesh_open_telemetry_backend import MESH_OPEN_TELEMETRY_BACKEND
from kuma.resources.resource import AnyResource
from tests.resolve.world import a_view
from tests.support.builders import NOW, a_resource


def ref(**labels: str) -> BackendResourceRef:
    kind = BackendResourceKind.MESH_OPEN_TELEMETRY_BACKEND
    return BackendResourceRef(kind=kind, labels=tuple(labels.items()))


def a_backend(
    name: str = "main", *, age: int = 0, labels: Mapping[str, str] | None = None, **spec: Any
) -> AnyResource:
    created = NOW - timedelta(seconds=age)
    return a_resource(
        MESH_OPEN_TELEMETRY_BACKEND, name, spec, labels=labels or {"team": "x"}, created=created
    )


def collector(**spec: Any) -> Collector | None:
    return find_collector(a_view(a_backend(**spec)), ref(team="x"))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, Collector("main", "", 4317)),
        ({"endpoint": {"address": "otel", "port": 1}}, Collector("main", "otel", 1)),
        (
            {"protocol": "http", "endpoint": {"address": "::1", "port": 4318, "path": "/otlp"}},
            Collector("main", "::1", 4318, is_http=True, path="/otlp"),
        ),
        (
            {"protocol": "http", "endpoint": {"address": "otel", "port": 443}},
            Collector("main", "otel", 443, is_http=True, is_secure=True),
        ),
        ({"endpoint": {"address": "otel", "port": 443}}, Collector("main", "otel", 443)),
    ],
)
def test_a_collector_is_where_its_resource_says(spec: dict[str, Any], expected: Collector) -> None:
    assert collector(**spec) == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"team": "x"}, "old"),
        ({"team": "x", "tier": "gold"}, "young"),
        ({"team": "y"}, None),
        ({}, None),
    ],
)
def test_the_oldest_that_has_all_labels_is_meant(
    asked: dict[str, str], expected: str | None
) -> None:
    view = a_view(
        a_backend("a-newer", age=1),
        a_backend("old", age=9),
        a_backend("young", labels={"team": "x", "tier": "gold"}),
    )
    found = find_collector(view, ref(**asked))
    assert (found.name if found else None) == expected


@pytest.mark.parametrize(
    ("spec", "url"),
    [
        ({"endpoint": {"address": "otel", "port": 4318}}, "http://otel:4318/v1/logs"),
        ({"endpoint": {"address": "::1", "path": "/a/"}}, "http://[::1]:4317/a/v1/logs"),
        ({"endpoint": {"port": 443}}, "https://10.0.0.7:443/v1/logs"),
    ],
)
def test_the_url_of_otlp_over_http(spec: dict[str, Any], url: str) -> None:
    found = collector(protocol="http", **spec)
    assert found is not None
    assert found.url(Signal.LOGS, local="10.0.0.7") == url
