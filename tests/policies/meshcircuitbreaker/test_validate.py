"""Fields and messages are those of Kuma 2.14.3, given the same specs."""

from typing import Any

import pytest

from kuma.policies.meshcircuitbreaker import KIND
from tests.policies.verdict import verdict

_NOTHING = "at least one of: 'connectionLimits' or 'outlierDetection' should be configured"


def a_spec(**default: Any) -> dict[str, Any]:
    return {"to": [{"targetRef": {"kind": "Mesh"}, "default": default}]}


@pytest.mark.parametrize(
    "spec",
    [
        a_spec(connectionLimits={"maxConnections": 1}),
        a_spec(connectionLimits={}),
        a_spec(
            outlierDetection={"detectors": {"totalFailures": {}}, "healthyPanicThreshold": "0.5"}
        ),
        {"rules": [{"default": {"connectionLimits": {"maxRetries": 1}}}]},
    ],
)
def test_accepts(spec: dict[str, Any]) -> None:
    assert verdict(KIND, spec) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, [("spec", "at least one of 'from', 'to' or 'rules' has to be defined")]),
        (a_spec(), [("spec.to[0].default", _NOTHING)]),
        ({"rules": [{"default": {}}]}, [("spec.from[0].default", _NOTHING)]),
        (
            {
                "to": [
                    {
                        "targetRef": {"kind": "MeshHTTPRoute", "name": "a"},
                        "default": {"connectionLimits": {"maxConnections": 0}},
                    }
                ]
            },
            [
                ("spec.to[0].targetRef.kind", "value 'MeshHTTPRoute' is not supported"),
                (
                    "spec.to[0].default.connectionLimits.maxConnections",
                    "must be greater than 0",
                ),
            ],
        ),
        (
            a_spec(
                outlierDetection={
                    "interval": "0s",
                    "maxEjectionPercent": 101,
                    "healthyPanicThreshold": "abc",
                }
            ),
            [
                (
                    "spec.to[0].default.outlierDetection.interval",
                    "must be greater than zero when defined",
                ),
                (
                    "spec.to[0].default.outlierDetection.maxEjectionPercent",
                    "must be in inclusive range [0, 100]",
                ),
                (
                    "spec.to[0].default.outlierDetection.healthyPanicThreshold",
                    "string must be a valid number",
                ),
                ("spec.to[0].default.outlierDetection.detectors", "must be defined"),
            ],
        ),
        (
            a_spec(outlierDetection={"detectors": {}}),
            [
                (
                    "spec.to[0].default.outlierDetection.detectors",
                    (
                        "must have at least one defined: totalFailures, gatewayFailures, "
                        "localOriginFailures, successRate, failurePercentage"
                    ),
                )
            ],
        ),
        (
            a_spec(
                outlierDetection={
                    "healthyPanicThreshold": "100.5",
                    "detectors": {
                        "successRate": {"standardDeviationFactor": "x", "minimumHosts": 0},
                        "failurePercentage": {"threshold": 101},
                        "totalFailures": {"consecutive": 0},
                    },
                }
            ),
            [
                (
                    "spec.to[0].default.outlierDetection.healthyPanicThreshold",
                    "must be in inclusive range [0.0, 100.0]",
                ),
                (
                    "spec.to[0].default.outlierDetection.detectors.totalFailures.consecutive",
                    "must be greater than 0",
                ),
                (
                    "spec.to[0].default.outlierDetection.detectors.successRate.minimumHosts",
                    "must be greater than 0",
                ),
                (
                    (
                        "spec.to[0].default.outlierDetection.detectors.successRate"
                        ".standardDeviationFactor"
                    ),
                    "invalid number",
                ),
                (
                    "spec.to[0].default.outlierDetection.detectors.failurePercentage.threshold",
                    "must be in inclusive range [0, 100]",
                ),
            ],
        ),
    ],
)
def test_refuses(spec: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert verdict(KIND, spec) == expected


@pytest.mark.parametrize("wrong", [-1, 2**31, "5", True, 1.5])
def test_limits_are_whole_numbers(wrong: object) -> None:
    found = verdict(KIND, a_spec(connectionLimits={"maxRetries": wrong}))
    assert [field for field, _ in found] == ["spec.to[0].default.connectionLimits.maxRetries"]


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (1900, []),
        ("1.9", []),
        (-1, ["must be greater than 0"]),
        ("0", ["must be greater than 0"]),
        (1_000_001, ["must be at most 1000000"]),
    ],
)
def test_factors_of_deviation(factor: object, expected: list[str]) -> None:
    detector = {"detectors": {"successRate": {"standardDeviationFactor": factor}}}
    path = "spec.to[0].default.outlierDetection.detectors.successRate.standardDeviationFactor"
    assert verdict(KIND, a_spec(outlierDetection=detector)) == [(path, text) for text in expected]
