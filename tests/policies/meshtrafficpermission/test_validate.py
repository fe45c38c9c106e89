"""Fields and messages are those of Kuma 2.14.3, given the same specs."""

from typing import Any

import pytest

from kuma.policies.meshtrafficpermission import KIND
from tests.policies.verdict import verdict


def a_spec(**target: Any) -> dict[str, Any]:
    return {"from": [{"targetRef": target or {"kind": "Mesh"}, "default": {"action": "Allow"}}]}


@pytest.mark.parametrize(
    "spec",
    [
        a_spec(),
        a_spec(kind="MeshServiceSubset", name="web", tags={"version": "*"}),
        {"rules": [{"default": {"allow": [{}]}}]},
        {"targetRef": {"kind": "Dataplane", "sectionName": "http"}, **a_spec()},
    ],
)
def test_accepts(spec: dict[str, Any]) -> None:
    assert verdict(KIND, spec) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, [("spec", "at least one of 'from' or 'rules' has to be defined")]),
        (
            {"targetRef": {"kind": "Dataplane", "sectionName": "http"}},
            [
                ("spec.targetRef.sectionName", "can only be used with inbound policies"),
                ("spec", "at least one of 'from' or 'rules' has to be defined"),
            ],
        ),
        (
            {"from": [{"targetRef": {"kind": "Mesh"}, "default": {}}]},
            [("spec.from[0].default.action", "must be defined")],
        ),
        (
            {**a_spec(), "rules": [{"default": {}}]},
            [
                ("spec", "field 'from' must be empty when 'rules' is defined"),
                (
                    "spec.rules[0]",
                    "at least one of 'allow', 'allowWithShadowDeny', 'deny' has to be defined",
                ),
            ],
        ),
        (
            {
                "rules": [
                    {"default": {"allow": [{"spiffeID": {"type": "Prefix", "value": "x://a"}}]}}
                ]
            },
            [
                (
                    "spec.rules[0].allow[0].spiffeID",
                    "must be a valid Spiffe ID: scheme is missing or invalid",
                )
            ],
        ),
        (
            a_spec(kind="MeshGateway", name="edge"),
            [("spec.from[0].targetRef.kind", "value 'MeshGateway' is not supported")],
        ),
    ],
)
def test_refuses(spec: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert verdict(KIND, spec) == expected


def test_actions_are_spelled_as_documented() -> None:
    spec = {"from": [{"targetRef": {"kind": "Mesh"}, "default": {"action": "ALLOW"}}]}
    assert [field for field, _ in verdict(KIND, spec)] == ["spec.from[0].default.action"]
