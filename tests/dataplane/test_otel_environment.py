"""What the variables OTEL_EXPORTER_OTLP_* come to, with what the control plane says."""

import json
from datetime import timedelta
from typing import Any

import pytest

from kuma.dataplane.otel.environment import read_environment
from kuma.dataplane.otel.merge import Target, Unavailable, resolve_target
from kuma.dataplane.otel.told import parse_told
from kuma.plan.signal import Signal

P = "OTEL_EXPORTER_OTLP"


def inventory(**variables: str) -> dict[str, Any]:
    named = {f"{P}_{name}": text for name, text in variables.items()}
    return read_environment(named).inventory(has_pipe=True)


def test_the_inventory_says_what_is_there_and_never_what_it_holds() -> None:
    found = inventory(
        ENDPOINT="https://user:password@gateway.example:4318",
        PROTOCOL=" http/protobuf ",
        HEADERS="authorization=secret",
        TRACES_ENDPOINT="https://tempo.example:4318/x",
        LOGS_PROTOCOL="http/protobuf",
        METRICS_CLIENT_KEY="/secret/key",
        METRICS_CLIENT_CERTIFICATE="/secret/chain",
    )
    assert found == {
        "pipeEnabled": True,
        "shared": {
            "signal": "shared",
            "endpointPresent": True,
            "endpointParsedAsURL": True,
            "protocolPresent": True,
            "headersPresent": True,
            "effectiveProtocol": "http/protobuf",
            "effectiveAuthMode": "headers",
        },
        "traces": {
            "signal": "traces",
            "endpointPresent": True,
            "endpointParsedAsURL": True,
            "endpointHasPath": True,
            "effectiveAuthMode": "none",
            "overrideKinds": ["endpoint"],
        },
        "logs": {
            "signal": "logs",
            "protocolPresent": True,
            "effectiveProtocol": "http/protobuf",
            "effectiveAuthMode": "none",
        },
        "metrics": {
            "signal": "metrics",
            "clientCertificatePresent": True,
            "clientKeyPresent": True,
            "effectiveAuthMode": "mtls",
            "overrideKinds": ["clientCertificate", "clientKey"],
        },
    }
    for secret in ("secret", "password", "example"):
        assert secret not in json.dumps(found)


@pytest.mark.parametrize(
    ("variables", "problems"),
    [
        ({"PROTOCOL": "binary"}, ["shared.protocol"]),
        ({"TIMEOUT": "later"}, ["shared.timeout"]),
        ({"TIMEOUT": "-1"}, ["shared.timeout"]),
        ({"COMPRESSION": "brotli"}, ["shared.compression"]),
        ({"COMPRESSION": "none"}, []),
        ({"TRACES_CLIENT_CERTIFICATE": "/cert"}, ["traces.mtls"]),
        ({"ENDPOINT": "https://a.example:4317/path"}, ["shared.endpoint"]),
        ({"PROTOCOL": "grpc", "LOGS_ENDPOINT": "http://a.example/path"}, ["logs.endpoint"]),
        ({"PROTOCOL": "http/protobuf", "LOGS_ENDPOINT": "http://a.example/path"}, []),
        ({"ENDPOINT": "   "}, []),
    ],
)
def test_what_cannot_be_read_is_told(variables: dict[str, str], problems: list[str]) -> None:
    assert inventory(**variables).get("validationErrors", []) == problems
    named = {f"{P}_{name}": text for name, text in variables.items()}
    warnings = list(read_environment(named).warnings())
    assert len(warnings) == len(problems)
    assert all(each.startswith(P) for each in warnings)
    assert not any(text in each for each in warnings for text in ("binary", "later", "/cert"))


BACKEND = {"name": "main", "socketPath": "/tmp/s", "endpoint": "said.example:4317"}


def target(
    variables: dict[str, str] | None = None, signal: Signal = Signal.LOGS, **told: Any
) -> Target | Unavailable:
    named = {f"{P}_{name}": text for name, text in (variables or {}).items()}
    plan = {"enabled": True, **told.pop("plan", {})}
    backend = {**BACKEND, str(signal): plan, **told}
    [parsed] = parse_told(json.dumps({"backends": [backend]}).encode())
    return resolve_target(parsed, signal, read_environment(named), local="10.0.0.9")


EXPLICIT = {"envPolicy": {"mode": "Optional", "precedence": "ExplicitFirst"}}
URL = {"ENDPOINT": "https://env.example:4318", "PROTOCOL": "http/protobuf"}


@pytest.mark.parametrize(
    ("variables", "told", "expected"),
    [
        ({}, {}, Target("said.example:4317")),
        ({}, {"endpoint": ":4317"}, Target("10.0.0.9:4317")),
        ({}, {"endpoint": "[::1]:4317"}, Target("[::1]:4317")),
        (
            {},
            {"useHTTP": True, "useHTTPS": True, "path": "/otlp/"},
            Target("said.example:4317", "/otlp/v1/logs", is_secure=True),
        ),
        # The environment goes first unless it is said otherwise.
        (URL, {}, Target("env.example:4318", "/v1/logs", is_secure=True)),
        (URL, EXPLICIT, Target("said.example:4317")),
        (
            URL,
            {**EXPLICIT, "useHTTP": True, "path": "/otlp"},
            Target("said.example:4317", "/otlp/v1/logs"),
        ),
        # What is not said goes before nothing.
        (
            URL,
            {**EXPLICIT, "endpoint": ":4317"},
            Target("env.example:4318", "/v1/logs", is_secure=True),
        ),
        # Variables fill what only they can say.
        (
            {"HEADERS": "Authorization=Bearer%20x, a = b ,bad", "TIMEOUT": "2500"},
            EXPLICIT,
            Target(
                "said.example:4317",
                headers={"Authorization": "Bearer x", "a": " b "},
                longest=timedelta(seconds=2.5),
            ),
        ),
        (
            {"CERTIFICATE": "/ca", "CLIENT_CERTIFICATE": "/c", "COMPRESSION": "gzip"},
            {},
            Target("said.example:4317", certificate="/ca", is_compressed=True),
        ),
        (
            {"CLIENT_CERTIFICATE": "/c", "CLIENT_KEY": "/k"},
            {},
            Target("said.example:4317", client_certificate="/c", client_key="/k"),
        ),
        # Those of the signal go before those for all, and their paths are whole.
        (
            {**URL, "LOGS_ENDPOINT": "http://logs.example/in"},
            {},
            Target("logs.example", "/in"),
        ),
        ({**URL, "LOGS_ENDPOINT": "http://logs.example"}, {}, Target("logs.example", "/")),
        (
            {"ENDPOINT": "http://all.example/base", "PROTOCOL": "http/protobuf"},
            {},
            Target("all.example", "/base/v1/logs"),
        ),
        ({**URL, "LOGS_PROTOCOL": "grpc"}, {}, Target("env.example:4318", is_secure=True)),
        (
            {"HEADERS": "a=b", "LOGS_HEADERS": "malformed"},
            {},
            Target("said.example:4317", headers={"a": "b"}),
        ),
        # The scheme says whether there is TLS, and where there is none the variable.
        ({"ENDPOINT": "env.example:1", "INSECURE": "false"}, {}, Target("env.example:1", is_secure=True)),
        (
            {"ENDPOINT": "https://env.example:1", "INSECURE": "true"},
            {},
            Target("env.example:1", is_secure=True),
        ),
        ({"ENDPOINT": "https://env.example:1/path"}, {}, Target("said.example:4317")),
        # What does not count.
        (URL, {"plan": {"blockedReasons": ["EnvDisabledByPolicy"]}}, Target("said.example:4317")),
        (
            URL,
            {"plan": {"blockedReasons": ["MultipleBackendsForSignal"]}},
            Target("said.example:4317"),
        ),
        (
            {**URL, "LOGS_ENDPOINT": "http://logs.example/in"},
            {"plan": {"blockedReasons": ["SignalOverridesDisallowed"]}},
            Target("env.example:4318", "/v1/logs", is_secure=True),
        ),
        (
            URL,
            {"plan": {"blockedReasons": ["RequiredEnvMissing"]}},
            Unavailable("blocked: RequiredEnvMissing"),
        ),
        (
            URL,
            {"plan": {"missingFields": ["client_key"]}},
            Unavailable("blocked: RequiredEnvMissing"),
        ),
    ],
)  # fmt: skip
def test_what_is_said_and_what_is_there_make_a_target(
    variables: dict[str, str], told: dict[str, Any], expected: Target | Unavailable
) -> None:
    assert target(variables, **told) == expected


def test_a_signal_that_is_not_told_goes_nowhere() -> None:
    [parsed] = parse_told(json.dumps({"backends": [BACKEND]}).encode())
    found = resolve_target(parsed, Signal.TRACES, read_environment({}), local="10.0.0.9")
    assert found == Unavailable("the signal is not enabled")


@pytest.mark.parametrize("text", ["nonsense", "[]", '{"backends": [{}]}', '{"backends": [1]}'])
def test_what_is_no_such_document_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_told(text.encode())
