"""Fields and messages are those of Kuma 2.14.3, given the same specs."""

from typing import Any

import pytest

from kuma.policies.meshtcproute import KIND
from tests.policies.verdict import verdict


def a_spec(*refs: dict[str, Any]) -> dict[str, Any]:
    rules = [{"default": {"backendRefs": list(refs)}}]
    return {"to": [{"targetRef": {"kind": "MeshService", "name": "a"}, "rules": rules}]}


@pytest.mark.parametrize(
    "spec",
    [
        {},
        a_spec({"kind": "MeshService", "name": "b", "weight": 0}),
        a_spec({"kind": "MeshServiceSubset", "name": "b", "tags": {"version": "*"}}),
        {"to": [{"targetRef": {"kind": "MeshService", "name": "a"}, "rules": []}]},
    ],
)
def test_accepts(spec: dict[str, Any]) -> None:
    assert verdict(KIND, spec) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (a_spec(), [("spec.to[0].rules[0].default.backendRefs", "must be defined")]),
        (
            a_spec(
                {"kind": "MeshMultiZoneService", "name": "Q"},
                {"kind": "MeshServiceSubset", "tags": {"a": "b c"}},
                {"kind": "Mesh"},
            ),
            [
                (
                    "spec.to[0].rules[0].default.backendRefs[0].port",
                    "must be defined with kind MeshMultiZoneService",
                ),
                (
                    "spec.to[0].rules[0].default.backendRefs[1].name",
                    "must be set when kind is MeshServiceSubset",
                ),
                (
                    'spec.to[0].rules[0].default.backendRefs[1].tags["a"]',
                    (
                        "tag value must consist of alphanumeric characters, dots, dashes, slashes and "
                        'underscores or be "*"'
                    ),
                ),
                (
                    "spec.to[0].rules[0].default.backendRefs[2].kind",
                    "value 'Mesh' is not supported",
                ),
            ],
        ),
    ],
)
def test_refuses(spec: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert verdict(KIND, spec) == expected


def test_has_at_most_one_rule() -> None:
    spec = a_spec({"kind": "MeshService", "name": "b"})
    spec["to"][0]["rules"] *= 2
    assert [field for field, _ in verdict(KIND, spec)] == ["spec.to[0].rules"]
