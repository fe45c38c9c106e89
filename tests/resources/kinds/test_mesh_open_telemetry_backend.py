"""What a MeshOpenTelemetryBackend accepts."""

from typing import Any

import pytest

from kuma.resources.kinds.mesh_open_telemetry_backend import MESH_OPEN_TELEMETRY_BACKEND
from tests.resources.claims import Found, find_violations


def endpoint(protocol: str = "http", **fields: Any) -> dict[str, Any]:
    return {"spec": {"protocol": protocol, "endpoint": fields}}


def env(**fields: Any) -> dict[str, Any]:
    return {"spec": {"env": fields}}


@pytest.mark.parametrize(
    "document",
    [
        {"spec": {}},
        {"spec": {"endpoint": {}}},
        endpoint("grpc", address="collector.observability.svc", port=4317),
        endpoint("grpc", address="192.0.2.1"),
        endpoint("grpc", address="::1", path=""),
        endpoint(port=443, path="/otlp"),
        env(mode="Disabled"),
        env(mode="Disabled", precedence="ExplicitFirst", allowSignalOverrides=False),
        env(),
        env(mode="Optional", precedence="EnvFirst", allowSignalOverrides=True),
        env(mode="Required"),
    ],
)
def test_a_valid_one_is_accepted(document: dict[str, Any]) -> None:
    assert find_violations(MESH_OPEN_TELEMETRY_BACKEND, document) == []


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (endpoint(address=""), [("spec.endpoint.address", "must not be empty")]),
        (
            endpoint(address="no host", port=65536, path="otlp?x"),
            [
                ("spec.endpoint.address", "address has to be a valid IP or hostname"),
                ("spec.endpoint.port", "port must be a valid (1-65535)"),
                ("spec.endpoint.path", "must start with /"),
                ("spec.endpoint.path", "must not contain query or fragment"),
            ],
        ),
        (endpoint(port=0), [("spec.endpoint.port", "port must be a valid (1-65535)")]),
        (
            {"spec": {"endpoint": {"path": "/otlp"}}},
            [("spec.endpoint.path", "must not be set when protocol is grpc")],
        ),
        (
            {"spec": {"protocol": "udp"}},
            [("spec.protocol", "unsupported value, must be 'grpc' or 'http'")],
        ),
        (
            env(mode="Never", precedence="x"),
            [
                (
                    "spec.env.mode",
                    "unsupported value, must be 'Disabled', 'Optional' or 'Required'",
                ),
                (
                    "spec.env.precedence",
                    "unsupported value, must be 'ExplicitFirst' or 'EnvFirst'",
                ),
            ],
        ),
    ],
)
def test_a_wrong_one_is_refused(document: dict[str, Any], expected: Found) -> None:
    assert find_violations(MESH_OPEN_TELEMETRY_BACKEND, document) == expected
