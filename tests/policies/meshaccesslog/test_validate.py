"""Fields and messages are those of Kuma 2.14.3, given the same specs, but for what only we refuse."""

from typing import Any

import pytest

from kuma.policies.meshaccesslog import KIND
from tests.policies.verdict import verdict

DEFAULT = "spec.to[0].default"
MESH = {"kind": "Mesh"}

REF = {"kind": "MeshOpenTelemetryBackend", "labels": {"a": "b"}}


def a_spec(*backends: dict[str, Any]) -> dict[str, Any]:
    return {"to": [{"targetRef": MESH, "default": {"backends": list(backends)}}]}


def a_file(path: str = "/tmp/log", **form: Any) -> dict[str, Any]:
    return {"type": "File", "file": {"path": path, **({"format": form} if form else {})}}


def a_collector(endpoint: str = "collector:4317", **fields: Any) -> dict[str, Any]:
    return {"type": "OpenTelemetry", "openTelemetry": {"endpoint": endpoint, **fields}}


def a_sink(address: str = "logs:5000", **fields: Any) -> dict[str, Any]:
    return {"type": "Tcp", "tcp": {"address": address, **fields}}


@pytest.mark.parametrize(
    "spec",
    [
        a_spec(),
        a_spec(a_sink(), a_sink("192.0.2.1:65535"), a_sink("[::1]:1")),
        a_spec(a_sink(format={"type": "Json", "json": [{"key": "a", "value": "b"}]})),
        a_spec(a_collector("", backendRef=REF)),
        a_spec(a_file()),
        a_spec(a_file(type="Plain", plain="%REQ(:PATH)%")),
        a_spec(a_file(type="Json", json=[{"key": "a", "value": "%KUMA_MESH%"}])),
        a_spec(a_collector("[::1]:80"), a_collector("::1"), a_collector("collector")),
        a_spec(a_collector(attributes=[{"key": "a.b_c", "value": "%KUMA_MESH%"}], body={"a": 1})),
        {"rules": [{"default": {"backends": []}}]},
        {"from": [{"targetRef": MESH, "default": {"backends": []}}]},
        {
            "targetRef": {"kind": "MeshGateway", "name": "g"},
            "to": [{"targetRef": MESH, "default": {"backends": []}}],
        },
    ],
)
def test_accepts(spec: dict[str, Any]) -> None:
    assert verdict(KIND, spec) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, [("spec", "at least one of 'from', 'to' or 'rules' has to be defined")]),
        (
            {
                "rules": [{"default": {"backends": []}}],
                "from": [{"targetRef": MESH, "default": {"backends": []}}],
            },
            [("spec", "fields 'to' and 'from' must be empty when 'rules' is defined")],
        ),
        (
            {"to": [{"targetRef": MESH, "default": {}}]},
            [(f"{DEFAULT}.backends", "must be defined")],
        ),
        (
            {"to": [{"targetRef": MESH}], "from": [{"targetRef": MESH}], "rules": [{}]},
            [
                (DEFAULT, "must be defined"),
                ("spec.from[0].default", "must be defined"),
                ("spec.rules[0].default", "must be defined"),
            ],
        ),
        (
            {
                "from": [
                    {
                        "targetRef": {"kind": "MeshService", "name": "a"},
                        "default": {"backends": [{"type": "File"}]},
                    }
                ]
            },
            [
                ("spec.from[0].targetRef.kind", "value 'MeshService' is not supported"),
                ("spec.from[0].default.backends[0].file", "must be defined"),
            ],
        ),
        (
            {
                "targetRef": {"kind": "MeshGateway", "name": "g"},
                "to": [
                    {
                        "targetRef": {"kind": "MeshService", "name": "a"},
                        "default": {"backends": []},
                    }
                ],
            },
            [("spec.to[0].targetRef.kind", "value 'MeshService' is not supported")],
        ),
        (
            a_spec(
                {"type": "Tcp"},
                {"type": "OpenTelemetry"},
                a_file("no/path"),
                a_file(type="Plain"),
                a_file(type="Plain", plain=""),
                a_file(type="Json"),
                a_file(type="Json", json=[]),
                a_file(type="Json", json=[{"key": "", "value": ""}, {"key": '"', "value": "a"}]),
            ),
            [
                (f"{DEFAULT}.backends[0].tcp", "must be defined"),
                (f"{DEFAULT}.backends[1].openTelemetry", "must be defined"),
                (f"{DEFAULT}.backends[2].file.path", "file backend requires a valid path"),
                (f"{DEFAULT}.backends[3].file.format.plain", "must be defined"),
                (f"{DEFAULT}.backends[4].file.format.plain", "must not be empty"),
                (f"{DEFAULT}.backends[5].file.format.json", "must be defined"),
                (f"{DEFAULT}.backends[6].file.format.json", "must not be empty"),
                (f"{DEFAULT}.backends[7].file.format.json[0].key", "key cannot be empty"),
                (f"{DEFAULT}.backends[7].file.format.json[0].value", "value cannot be empty"),
                (f"{DEFAULT}.backends[7].file.format.json[1]", "is not a valid JSON object"),
            ],
        ),
        (
            a_spec(
                a_collector(""),
                a_collector(backendRef={"kind": "MeshOpenTelemetryBackend", "labels": {"a": "b"}}),
                a_collector("http://collector"),
                a_collector(attributes=[{"key": "otel.name", "value": "a"}]),
                a_collector("", backendRef={"kind": "MeshOpenTelemetryBackend", "labels": {}}),
                a_sink(format={"type": "Json"}),
            ),
            [
                (
                    f"{DEFAULT}.backends[0].openTelemetry",
                    "openTelemetry must have exactly one defined: endpoint, backendRef",
                ),
                (
                    f"{DEFAULT}.backends[1].openTelemetry",
                    "openTelemetry must have only one type defined: endpoint, backendRef",
                ),
                (
                    f"{DEFAULT}.backends[2].openTelemetry.endpoint",
                    "must be in host:port format, not a URL",
                ),
                (
                    f"{DEFAULT}.backends[3].openTelemetry.attributes[0].key",
                    "must not use the reserved OpenTelemetry prefix 'otel.'",
                ),
                (
                    f"{DEFAULT}.backends[4].openTelemetry.backendRef",
                    "backendRef must have exactly one defined: labels",
                ),
                (f"{DEFAULT}.backends[5].tcp.format.json", "must be defined"),
            ],
        ),
        (
            {"rules": [{"matches": [{"sni": {"type": "Exact", "value": ""}}], "default": {}}]},
            [
                ("spec.rules[0].matches[0].sni.value", "must be set"),
                ("spec.rules[0].default.backends", "must be defined"),
            ],
        ),
    ],
)
def test_refuses(spec: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert verdict(KIND, spec) == expected


@pytest.mark.parametrize(
    ("backend", "field", "message"),
    [
        *(
            (a_sink(address), "tcp.address", "tcp backend requires valid address")
            for address in (
                "logs",
                "logs:",
                ":5000",
                "logs:0",
                "logs:70000",
                "http://logs:5000",
                "a b:1",
            )
        ),
        (a_collector("a:70000"), "openTelemetry.endpoint", "must be in host:port format"),
        (a_collector("a b"), "openTelemetry.endpoint", "must be in host:port format"),
    ],
)
def test_refuses_what_could_not_be_honoured(
    backend: dict[str, Any], field: str, message: str
) -> None:
    assert verdict(KIND, a_spec(backend)) == [(f"{DEFAULT}.backends[0].{field}", message)]


@pytest.mark.parametrize(
    ("backend", "field"),
    [
        (a_file(type="Plain", plain="100% %KUMA_MESH%"), "file.format.plain"),
        (
            a_file(type="Json", json=[{"key": "a", "value": "%REQ("}]),
            "file.format.json[0].value",
        ),
        (
            a_collector("a", attributes=[{"key": "a", "value": "%"}]),
            "openTelemetry.attributes[0].value",
        ),
        (a_collector("a", body={"kvlistValue": ["%"]}), "openTelemetry.body"),
    ],
)
def test_refuses_what_envoy_would_not_take_as_a_format(backend: dict[str, Any], field: str) -> None:
    [(path, message)] = verdict(KIND, a_spec(backend))
    assert path == f"{DEFAULT}.backends[0].{field}"
    assert message.startswith("a % must begin an operator")
