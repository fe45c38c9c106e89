"""Fields and messages are those of Kuma 2.14.3, given the same specs."""

from typing import Any

import pytest

from kuma.policies.meshhealthcheck import KIND
from tests.policies.verdict import verdict
from tests.support.builders import a_resource

MESH = {"kind": "Mesh"}


def to(default: dict[str, Any], target: dict[str, Any] = MESH) -> dict[str, Any]:
    return {"targetRef": MESH, "to": [{"targetRef": target, "default": default}]}


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"targetRef": MESH},
        {"targetRef": {"kind": "MeshGateway", "name": "edge", "tags": {"a": "b"}}, "to": []},
        to({"tcp": {}}),
        to({"tcp": {"send": "", "receive": [""]}, "eventLogPath": "/tmp/a//b c\n"}),
        to({"tcp": {}}, {"kind": "MeshExternalService", "name": "x"}),
        to({"grpc": {}, "healthyPanicThreshold": "10.5", "intervalJitterPercent": 100}),
        to(
            {
                "http": {
                    "expectedStatuses": [100, 599],
                    "requestHeadersToAdd": {
                        "set": [{"name": "x", "value": "a"}, {"name": "x", "value": "b"}],
                        "add": [{"name": "y", "value": "%"}],
                    },
                }
            }
        ),
    ],
)
def test_accepts(spec: dict[str, Any]) -> None:
    assert verdict(KIND, spec) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (to({}), [("spec.to[0].default", "must have at least one defined: http, tcp, grpc")]),
        (
            to(
                {
                    "interval": "0s",
                    "timeout": "-1s",
                    "unhealthyThreshold": 0,
                    "healthyThreshold": -1,
                    "initialJitter": "0s",
                    "intervalJitter": "0s",
                    "intervalJitterPercent": 101,
                    "healthyPanicThreshold": "abc",
                    "noTrafficInterval": "0s",
                    "eventLogPath": "no/path",
                    "http": {"path": "", "expectedStatuses": [99, 200, 600]},
                }
            ),
            [
                ("spec.to[0].default.interval", "must be greater than zero when defined"),
                ("spec.to[0].default.timeout", "must be greater than zero when defined"),
                ("spec.to[0].default.unhealthyThreshold", "must be greater than zero when defined"),
                ("spec.to[0].default.healthyThreshold", "must be greater than zero when defined"),
                ("spec.to[0].default.initialJitter", "must be greater than zero when defined"),
                ("spec.to[0].default.intervalJitter", "must be greater than zero when defined"),
                (
                    "spec.to[0].default.intervalJitterPercent",
                    "must be in inclusive range [0, 100]",
                ),
                ("spec.to[0].default.healthyPanicThreshold", "string must be a valid number"),
                ("spec.to[0].default.noTrafficInterval", "must be greater than zero when defined"),
                ("spec.to[0].default.eventLogPath", "must be a valid path when defined"),
                ("spec.to[0].default.http.path", "must be defined"),
                (
                    "spec.to[0].default.http.expectedStatuses[0]",
                    "must be in inclusive range [100, 599]",
                ),
                (
                    "spec.to[0].default.http.expectedStatuses[2]",
                    "must be in inclusive range [100, 599]",
                ),
            ],
        ),
        (
            to({"healthyPanicThreshold": 101, "eventLogPath": "", "http": {}}),
            [
                (
                    "spec.to[0].default.healthyPanicThreshold",
                    "must be in inclusive range [0.0, 100.0]",
                ),
                ("spec.to[0].default.eventLogPath", "must be a valid path when defined"),
            ],
        ),
        *(
            (
                to({"eventLogPath": path, "tcp": {}}),
                [
                    (
                        "spec.to[0].default.eventLogPath",
                        "must be the path of a file, not of a directory",
                    )
                ],
            )
            for path in ("/", "/tmp/", "C:\\logs\\")
        ),
        (
            {"targetRef": {"kind": "MeshHTTPRoute", "name": "x"}, "to": []},
            [("spec.targetRef.kind", "value 'MeshHTTPRoute' is not supported")],
        ),
        (
            {"targetRef": {"kind": "Dataplane", "sectionName": "x"}},
            [("spec.targetRef.sectionName", "can only be used with inbound policies")],
        ),
        (
            to({"tcp": {}}, {"kind": "MeshSubset"}),
            [("spec.to[0].targetRef.kind", "value 'MeshSubset' is not supported")],
        ),
    ],
)
def test_refuses(spec: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert verdict(KIND, spec) == expected


def test_what_envoy_would_reject_is_refused_though_kuma_takes_it() -> None:
    headers = {"set": [{"name": "x", "value": "a\nb"}]}
    spec = to(
        {
            "http": {"path": "/a", "requestHeadersToAdd": headers},
            "grpc": {"authority": "a\0b"},
        }
    )

    assert verdict(KIND, spec) == [
        (f"spec.to[0].default.{field}", "must not contain line breaks or null characters")
        for field in ("http.requestHeadersToAdd.set[0].value", "grpc.authority")
    ]


@pytest.mark.parametrize("path", ["/a\r\n", "/\0", "/\x1d", "/\x7f"])
def test_control_characters_in_a_path_are_refused_though_kuma_takes_them(path: str) -> None:
    assert verdict(KIND, to({"http": {"path": path}})) == [
        ("spec.to[0].default.http.path", "must not contain control characters")
    ]
    assert verdict(KIND, to({"http": {"path": "/\ta é ?"}})) == []


def test_the_panic_threshold_is_deprecated() -> None:
    policy = a_resource(KIND, "p", to({"healthyPanicThreshold": 1, "tcp": {}}))

    assert [*KIND.deprecations(policy)] == [
        (
            "healthyPanicThreshold for 'to[].default' is deprecated. The setting has been moved to "
            "MeshCircuitBreaker policy, please use MeshCircuitBreaker policy instead."
        )
    ]
