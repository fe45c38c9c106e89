"""Fields and messages are those of Kuma 2.14.3, given the same specs."""

from typing import Any

import pytest

from kuma.policies.meshfaultinjection import KIND
from kuma.policies.meshfaultinjection.model import parse_bandwidth
from tests.policies.verdict import verdict
from tests.support.builders import a_resource

MESH = {"kind": "Mesh"}
SIDECARS = {"kind": "Mesh", "proxyTypes": ["Sidecar"]}
ABORT = {"abort": {"httpStatus": 500, "percentage": 10}}
FAULTS = {"http": [ABORT]}
WEB = {"spiffeID": {"type": "Exact", "value": "spiffe://a/b"}}
FROM_GATEWAYS = (
    "must not be defined when the scope includes a Gateway, select only proxyType Sidecar or "
    "select only gateways and use spec.to"
)
UNIT = "must be in kbps/Mbps/Gbps units"


def rule(default: dict[str, Any], *matches: dict[str, Any]) -> dict[str, Any]:
    return {"targetRef": SIDECARS, "rules": [{"matches": [*matches], "default": default}]}


def slow(limit: str, percentage: int | str = 1) -> dict[str, Any]:
    return rule({"http": [{"responseBandwidth": {"limit": limit, "percentage": percentage}}]})


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"rules": [{"default": FAULTS}]},
        {"targetRef": MESH, "to": [{"targetRef": MESH, "default": FAULTS}]},
        {"targetRef": SIDECARS, "from": [{"targetRef": {"kind": "MeshSubset"}}]},
        {"targetRef": {"kind": "Dataplane", "sectionName": "x"}, "rules": [{"default": FAULTS}]},
        {
            "targetRef": {"kind": "MeshGateway", "name": "x", "tags": {"a": "b"}},
            "to": [{"targetRef": MESH, "default": FAULTS}],
        },
        rule({}),
        rule({"http": []}),
        rule({"http": [{}]}),
        rule({"http": [{"delay": {"value": "0s", "percentage": 0}}]}),
        rule(FAULTS, {}),
        rule(FAULTS, WEB),
        slow("10 Mbps", "1.5"),
    ],
)
def test_accepts(spec: dict[str, Any]) -> None:
    assert verdict(KIND, spec) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            {"targetRef": MESH, "from": [{"targetRef": MESH, "default": FAULTS}]},
            [("spec.from", FROM_GATEWAYS)],
        ),
        (
            {"targetRef": SIDECARS, "to": [{"targetRef": MESH, "default": FAULTS}]},
            [("spec.to", "must not be defined")],
        ),
        (
            {"to": [{"targetRef": {"kind": "MeshService", "name": "a"}, "default": FAULTS}]},
            [("spec.to[0].targetRef.kind", "value 'MeshService' is not supported")],
        ),
        (
            {
                "targetRef": SIDECARS,
                "rules": [{"default": FAULTS}],
                "to": [{"targetRef": MESH}],
                "from": [{"targetRef": MESH}],
            },
            [
                ("spec", "field 'from' must be empty when 'rules' is defined"),
                ("spec.to", "must not be defined"),
            ],
        ),
        (
            {"targetRef": {"kind": "MeshHTTPRoute", "name": "x"}, "rules": [{"default": FAULTS}]},
            [("spec.targetRef.kind", "value 'MeshHTTPRoute' is not supported")],
        ),
        (
            rule(
                {
                    "http": [
                        ABORT,
                        {
                            "abort": {"httpStatus": 99, "percentage": 101},
                            "delay": {"value": "-1s", "percentage": "x"},
                            "responseBandwidth": {"limit": "10", "percentage": -1},
                        },
                    ]
                }
            ),
            [
                (
                    "spec.rules[0].default.http.abort[1].httpStatus",
                    "must be in inclusive range [100, 599]",
                ),
                (
                    "spec.rules[0].default.http.abort[1].percentage",
                    "must be in inclusive range [0.0, 100.0]",
                ),
                ("spec.rules[0].default.http.delay[1].value", "must not be negative when defined"),
                ("spec.rules[0].default.http.delay[1].percentage", "string must be a valid number"),
                ("spec.rules[0].default.http.responseBandwidth[1].limit", UNIT),
                (
                    "spec.rules[0].default.http.responseBandwidth[1].percentage",
                    "must be in inclusive range [0.0, 100.0]",
                ),
            ],
        ),
        (slow(""), [("spec.rules[0].default.http.responseBandwidth[0].limit", "must be defined")]),
        (slow("10.5kbps"), [("spec.rules[0].default.http.responseBandwidth[0].limit", UNIT)]),
        (
            rule(FAULTS, {"spiffeID": {"type": "Exact", "value": "x"}}),
            [
                (
                    "spec.rules[0].matches[0].spiffeID",
                    "must be a valid Spiffe ID: scheme is missing or invalid",
                )
            ],
        ),
        (
            {
                "targetRef": SIDECARS,
                "from": [
                    {
                        "targetRef": {"kind": "MeshServiceSubset"},
                        "default": {"http": [{"abort": {"httpStatus": 600, "percentage": 1}}]},
                    },
                    {"targetRef": {"kind": "Dataplane"}},
                ],
            },
            [
                ("spec.from[0].targetRef.name", "must be set when kind is MeshServiceSubset"),
                (
                    "spec.from[0].default.http.abort[0].httpStatus",
                    "must be in inclusive range [100, 599]",
                ),
                ("spec.from[1].targetRef.kind", "value 'Dataplane' is not supported"),
            ],
        ),
        (
            {"targetRef": SIDECARS, "rules": [{}]},
            [("spec.rules[0].default", "must be defined")],
        ),
    ],
)
def test_refuses(spec: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert verdict(KIND, spec) == expected


@pytest.mark.parametrize("limit", ["kbps", "0kbps", "10kkbps", f"{'9' * 20}Gbps"])
def test_no_bandwidth_is_refused_though_kuma_takes_it(limit: str) -> None:
    assert verdict(KIND, slow(limit)) == [
        ("spec.rules[0].default.http.responseBandwidth[0].limit", UNIT)
    ]


def test_a_status_that_envoy_does_not_answer_with_is_refused_though_kuma_takes_it() -> None:
    spec = rule({"http": [{"abort": {"httpStatus": 199, "percentage": 1}}]})

    assert verdict(KIND, spec) == [
        ("spec.rules[0].default.http.abort[0].httpStatus", "must be in inclusive range [200, 599]")
    ]


@pytest.mark.parametrize(
    ("text", "kbps"),
    [("10kbps", 10), ("10 Mbps", 10_000), ("3Gbps", 3_000_000), ("3gbps", None), ("3  Gbps", None)],
)
def test_bandwidths(text: str, kbps: int | None) -> None:
    assert parse_bandwidth(text) == kbps


def test_warns_of_from_and_of_targets_by_tags() -> None:
    spec = {"targetRef": {"kind": "MeshService", "name": "a"}, "from": [{"targetRef": MESH}]}

    assert [*KIND.deprecations(a_resource(KIND, "p", spec))] == [
        "'from' field is deprecated, use 'rules' with SPIFFE-based 'matches' instead",
        "MeshService value for 'targetRef.kind' is deprecated, use Dataplane with labels instead",
    ]
