"""Fields and messages are those of Kuma 2.14.3, given the same specs."""

from typing import Any

import pytest

from kuma.policies.meshtls import KIND
from kuma.policies.meshtls.model import MeshTlsSpec
from tests.policies.verdict import verdict
from tests.support.builders import a_resource

MESH = {"kind": "Mesh"}
SIDECARS = {"kind": "Mesh", "proxyTypes": ["Sidecar"]}
SOME = {"kind": "Dataplane", "labels": {"a": "b"}}
STRICT = {"mode": "Strict"}
CIPHER = "ECDHE-ECDSA-AES128-GCM-SHA256"


def rule(default: dict[str, Any], target: dict[str, Any] = SIDECARS) -> dict[str, Any]:
    return {"targetRef": target, "rules": [{"default": default}]}


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"targetRef": SIDECARS, "rules": [{}]},
        {"targetRef": MESH, "from": [{"targetRef": MESH, "default": STRICT}]},
        rule({}),
        rule(STRICT, SOME),
        rule(STRICT, {"kind": "MeshSubset"}),
        rule(STRICT, {"kind": "Dataplane", "sectionName": "a"}),
        rule({"tlsCiphers": []}, SOME),
        rule({"tlsCiphers": [CIPHER, CIPHER]}),
        rule({"tlsVersion": {}}),
        rule({"tlsVersion": {"min": "TLS10", "max": "TLS12"}}),
        rule({"tlsVersion": {"min": "TLS13"}}),
        rule({"tlsVersion": {"min": "TLS12", "max": "TLS12"}}),
    ],
)
def test_accepts(spec: dict[str, Any]) -> None:
    assert verdict(KIND, spec) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            {"targetRef": MESH, "from": [{"targetRef": {"kind": "MeshSubset"}}]},
            [("spec.from[0].targetRef.kind", "value 'MeshSubset' is not supported")],
        ),
        (
            {"from": [{"targetRef": MESH}], "rules": [{}]},
            [("spec", "field 'from' must be empty when 'rules' is defined")],
        ),
        (
            rule({"tlsVersion": {"min": "TLS13", "max": "TLS12"}}),
            [("spec.rules[0].default.tlsVersion.min", "min version must be lower than max")],
        ),
        (
            {
                "targetRef": {"kind": "MeshSubset"},
                "from": [
                    {
                        "targetRef": MESH,
                        "default": {"tlsVersion": {"min": "TLS12"}, "tlsCiphers": [CIPHER]},
                    }
                ],
            },
            [
                (
                    "spec.from[0].default.tlsCiphers",
                    "tlsCiphers can only be defined with top level targetRef kind: Mesh",
                ),
                (
                    "spec.from[0].default.tlsVersion",
                    "tlsVersion can only be defined with top level targetRef kind: Mesh",
                ),
            ],
        ),
        (
            rule(STRICT, {"kind": "MeshService", "name": "a"}),
            [("spec.targetRef.kind", "value 'MeshService' is not supported")],
        ),
    ],
)
def test_refuses(spec: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert verdict(KIND, spec) == expected


@pytest.mark.parametrize(
    ("default", "field"),
    [
        ({"mode": "STRICT"}, "mode"),
        ({"tlsVersion": {"min": "x"}}, "tlsVersion.min"),
        ({"tlsCiphers": ["x"]}, "tlsCiphers[0]"),
    ],
)
def test_refuses_what_is_not_in_the_lists(default: dict[str, Any], field: str) -> None:
    assert [path for path, _ in verdict(KIND, rule(default))] == [f"spec.rules[0].default.{field}"]


def test_a_limit_that_is_left_out_is_shown_as_auto() -> None:
    spec = MeshTlsSpec.model_validate(rule({"tlsVersion": {"max": "TLS12"}}))

    assert spec.to_json()["rules"][0]["default"] == {
        "tlsVersion": {"min": "TLSAuto", "max": "TLS12"}
    }


def test_warns_of_from() -> None:
    policy = a_resource(KIND, "p", {"from": [{"targetRef": MESH}]})

    assert [*KIND.deprecations(policy)] == ["'from' field is deprecated, use 'rules' instead"]
