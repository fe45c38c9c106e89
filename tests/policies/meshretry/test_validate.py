"""Fields and messages are those of Kuma 2.14.3, given the same specs."""

from typing import Any

import pytest

from kuma.policies.meshretry import KIND
from tests.policies.verdict import verdict


def a_spec(**default: Any) -> dict[str, Any]:
    return {"to": [{"targetRef": {"kind": "Mesh"}, "default": default}]}


@pytest.mark.parametrize(
    "spec",
    [
        {},
        a_spec(tcp={"maxConnectAttempt": 1}),
        a_spec(http={"retryOn": ["5xx", "HttpMethodGet", "503", "GatewayError"]}),
        a_spec(http={"hostSelection": [{"predicate": "OmitPreviousPriorities"}]}),
        a_spec(grpc={"retryOn": ["Canceled"]}),
        a_spec(
            http={"retriableRequestHeaders": [{"name": "a", "type": "Present", "value": "ignored"}]}
        ),
    ],
)
def test_accepts(spec: dict[str, Any]) -> None:
    assert verdict(KIND, spec) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            a_spec(),
            [
                (
                    "spec.to[0].default.conf",
                    "at least one of the 'tcp', 'http', 'grpc' must be specified",
                )
            ],
        ),
        (
            a_spec(tcp={}, http={"hostSelectionMaxAttempts": 3}, grpc={}),
            [
                ("spec.to[0].default.conf.tcp", "must not be empty"),
                ("spec.to[0].default.conf.http", "must not be empty"),
                ("spec.to[0].default.conf.grpc", "must not be empty"),
            ],
        ),
        (
            a_spec(
                tcp={"maxConnectAttempt": 0},
                http={
                    "retryOn": ["foo", "503", "999"],
                    "backOff": {},
                    "rateLimitedBackOff": {
                        "maxInterval": "0s",
                        "resetHeaders": [{"name": "a", "format": "Seconds"}],
                    },
                    "hostSelection": [
                        {"predicate": "OmitHostsWithTags"},
                        {"predicate": "OmitPreviousPriorities"},
                        {"predicate": "OmitPreviousPriorities", "updateFrequency": 0},
                    ],
                },
                grpc={"rateLimitedBackOff": {}},
            ),
            [
                ("spec.to[0].default.conf.tcp.maxConnectAttempt", "must be greater than 0"),
                ("spec.to[0].default.conf.http.backOff", "must not be empty"),
                (
                    "spec.to[0].default.conf.http.rateLimitedBackOff.maxInterval",
                    "must be defined and greater than zero",
                ),
                ("spec.to[0].default.conf.http.retryOn[0]", "unknown item 'foo'"),
                ("spec.to[0].default.conf.http.retryOn[2]", "unknown item '999'"),
                ("spec.to[0].default.conf.http.hostSelection[0].tags", "must be defined"),
                (
                    "spec.to[0].default.conf.http.hostSelection[2].predicate",
                    "OmitPreviousPriorities must only be specified once",
                ),
                (
                    "spec.to[0].default.conf.http.hostSelection[2].updateFrequency",
                    "must be defined and greater than zero",
                ),
                (
                    "spec.to[0].default.conf.grpc.rateLimitedBackOff.resetHeaders",
                    "must be defined",
                ),
            ],
        ),
        (
            {
                "targetRef": {"kind": "MeshGateway", "name": "edge"},
                "to": [
                    {
                        "targetRef": {"kind": "MeshService", "name": "a"},
                        "default": {"tcp": {"maxConnectAttempt": 1}},
                    }
                ],
            },
            [("spec.to[0].targetRef.kind", "value 'MeshService' is not supported")],
        ),
    ],
)
def test_refuses(spec: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert verdict(KIND, spec) == expected


def test_header_names_are_lower_case() -> None:
    spec = a_spec(http={"retriableRequestHeaders": [{"name": "X-A"}]})
    found = verdict(KIND, spec)
    assert [field for field, _ in found] == [
        "spec.to[0].default.http.retriableRequestHeaders[0].name"
    ]


def test_refuses_what_envoy_refuses() -> None:
    spec = a_spec(
        http={
            "perTryTimeout": "-1s",
            "backOff": {"baseInterval": "1ns", "maxInterval": "0s"},
            "retriableResponseHeaders": [{"name": "x", "type": "RegularExpression", "value": "("}],
        },
        grpc={"perTryTimeout": "-1s"},
    )
    http = "spec.to[0].default.conf.http"
    assert verdict(KIND, spec) == [
        (f"{http}.perTryTimeout", "must not be negative when defined"),
        (f"{http}.backOff.baseInterval", "must be greater than zero when defined"),
        (f"{http}.backOff.maxInterval", "must be greater than zero when defined"),
        (
            f"{http}.retriableResponseHeaders[0].value",
            "must be a regular expression: missing ): (",
        ),
        ("spec.to[0].default.conf.grpc.perTryTimeout", "must not be negative when defined"),
    ]


@pytest.mark.parametrize("attempts", ["5", True, 1.5])
def test_attempts_are_a_number(attempts: object) -> None:
    found = verdict(KIND, a_spec(http={"hostSelectionMaxAttempts": attempts}))
    assert found == [("spec.to[0].default.http.hostSelectionMaxAttempts", "must be an integer")]
