"""Specs that Kuma 2.14.3 takes are taken; its messages are those of its refusals, except that fields are
called as they are written. What only we refuse stands apart."""

from typing import Any

import pytest

from kuma.policies.meshmetric import KIND
from tests.policies.verdict import verdict

BACKEND = "spec.default.backends[0]"
PORT = "port must be a valid (1-65535)"
ONE_OF = "endpoint, backendRef"
REF = {"kind": "MeshOpenTelemetryBackend", "labels": {"a": "b"}}


def a_spec(*backends: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"default": {"backends": list(backends), **more}}


def prometheus(**fields: Any) -> dict[str, Any]:
    return {"type": "Prometheus", "prometheus": fields}


def open_telemetry(**fields: Any) -> dict[str, Any]:
    return {"type": "OpenTelemetry", "openTelemetry": fields}


def profiles(**fields: Any) -> dict[str, Any]:
    return {"default": {"sidecar": {"profiles": fields}}}


def application(**fields: Any) -> dict[str, Any]:
    return {"default": {"applications": [fields]}}


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"default": {}},
        a_spec(),
        a_spec(prometheus(), prometheus(clientId="a", port=5671)),
        *(
            a_spec(prometheus(tls={"mode": mode}))
            for mode in ("Disabled", "ProvidedTLS", "ActiveMTLSBackend")
        ),
        a_spec(prometheus(tls={})),
        a_spec(open_telemetry(endpoint="a:1")),
        a_spec(open_telemetry(endpoint="[::1]:1", refreshInterval="1m")),
        a_spec(open_telemetry(backendRef=REF)),
        application(port=80),
        application(port=80, name="a", path="/x?y=z", address="10.0.0.1"),
        profiles(appendProfiles=[{"name": "All"}, {"name": "Basic"}, {"name": "None"}]),
        profiles(
            include=[{"type": "Exact", "match": ""}], exclude=[{"type": "Regex", "match": "a.*"}]
        ),
        {"default": {"sidecar": {"includeUnused": True}}},
        {"targetRef": {"kind": "MeshGateway", "name": "a"}, **a_spec(prometheus())},
        {"targetRef": {"kind": "MeshGateway", "name": "a", "tags": {"b": "c"}}, **a_spec()},
    ],
    ids=str,
)
def test_accepts(spec: dict[str, Any]) -> None:
    assert verdict(KIND, spec) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (a_spec({"type": "Prometheus"}), (f"{BACKEND}.prometheus", "must be defined")),
        (a_spec({"type": "OpenTelemetry"}), (f"{BACKEND}.openTelemetry", "must be defined")),
        (a_spec(prometheus(port=0)), (f"{BACKEND}.prometheus.port", PORT)),
        (a_spec(prometheus(port=70000)), (f"{BACKEND}.prometheus.port", PORT)),
        (
            a_spec(open_telemetry()),
            (
                f"{BACKEND}.openTelemetry",
                f"openTelemetry must have exactly one defined: {ONE_OF}",
            ),
        ),
        (
            a_spec(open_telemetry(endpoint="a:1", backendRef=REF)),
            (
                f"{BACKEND}.openTelemetry",
                f"openTelemetry must have only one type defined: {ONE_OF}",
            ),
        ),
        (
            a_spec(open_telemetry(backendRef={"kind": "MeshOpenTelemetryBackend"})),
            (
                f"{BACKEND}.openTelemetry.backendRef",
                "backendRef must have exactly one defined: labels",
            ),
        ),
        (
            a_spec(open_telemetry(endpoint="abc")),
            (f"{BACKEND}.openTelemetry.endpoint", "must be in host:port format"),
        ),
        (
            a_spec(open_telemetry(endpoint="http://a:4317")),
            (f"{BACKEND}.openTelemetry.endpoint", "must be in host:port format, not a URL"),
        ),
        (application(port=0), ("spec.default.applications[0].port", PORT)),
        (application(port=99999), ("spec.default.applications[0].port", PORT)),
        *(
            (
                profiles(**{field: [{"type": "Regex", "match": "("}]}),
                (f"spec.default.sidecar.profiles.{field}[0].match", "invalid regex"),
            )
            for field in ("include", "exclude")
        ),
        (
            {"targetRef": {"kind": "MeshHTTPRoute", "name": "a"}},
            ("spec.targetRef.kind", "value 'MeshHTTPRoute' is not supported"),
        ),
    ],
    ids=str,
)
def test_refuses_as_kuma_does(spec: dict[str, Any], expected: tuple[str, str]) -> None:
    assert verdict(KIND, spec) == [expected]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (a_spec({"type": "Statsd"}), f"{BACKEND}.type"),
        (a_spec(prometheus(tls={"mode": "TLS"})), f"{BACKEND}.prometheus.tls.mode"),
        (application(path="/x"), "spec.default.applications[0].port"),
        (
            profiles(appendProfiles=[{"name": "Most"}]),
            "spec.default.sidecar.profiles.appendProfiles[0].name",
        ),
        (
            profiles(include=[{"type": "Glob", "match": "a"}]),
            "spec.default.sidecar.profiles.include[0].type",
        ),
    ],
    ids=str,
)
def test_the_schema_refuses_what_kumas_does(spec: dict[str, Any], field: str) -> None:
    assert [where for where, _ in verdict(KIND, spec)] == [field]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (a_spec(prometheus(path="x")), f"{BACKEND}.prometheus.path"),
        (a_spec(prometheus(clientId="")), f"{BACKEND}.prometheus.clientId"),
        (
            a_spec(prometheus(), prometheus(clientId="a")),
            "spec.default.backends[1].prometheus.port",
        ),
        (a_spec(prometheus(), prometheus(port=1)), "spec.default.backends[1].prometheus.clientId"),
        (
            a_spec(open_telemetry(endpoint="a:1"), open_telemetry(endpoint="a:1")),
            "spec.default.backends[1].openTelemetry.endpoint",
        ),
        (
            a_spec(open_telemetry(endpoint="a:1", refreshInterval="0s")),
            f"{BACKEND}.openTelemetry.refreshInterval",
        ),
        (application(port=1, path="a b"), "spec.default.applications[0].path"),
        (application(port=1, address="a b"), "spec.default.applications[0].address"),
    ],
    ids=str,
)
def test_refuses_what_nobody_could_serve(spec: dict[str, Any], field: str) -> None:
    assert [where for where, _ in verdict(KIND, spec)] == [field]
