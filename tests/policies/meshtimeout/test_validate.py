"""Fields and messages are those of Kuma 2.14.3, given the same specs."""

from typing import Any

import pytest

from kuma.policies.meshtimeout import KIND
from tests.policies.verdict import verdict

IDLE = {"idleTimeout": "1s"}
TO_MESH = {"targetRef": {"kind": "Mesh"}, "default": IDLE}
_UNCONDITIONAL = (
    "can't be specified when matches contain spiffeID because this field cannot be conditioned on "
    "source identity"
)
_ON_ROUTE = "can't be specified when top-level TargetRef is referencing MeshHTTPRoute"


@pytest.mark.parametrize(
    "spec",
    [
        {"to": [TO_MESH]},
        {"from": [TO_MESH]},
        {"rules": [{"default": IDLE}], "to": []},
        {"targetRef": {"kind": "Dataplane", "sectionName": "http"}, "rules": [{"default": IDLE}]},
        {"targetRef": {"kind": "MeshGateway", "name": "edge", "tags": {"a": "b"}}, "to": [TO_MESH]},
        {"rules": [{"matches": [{"sni": {"type": "Exact", "value": "a.b"}}], "default": IDLE}]},
        {"to": [{"targetRef": {"kind": "MeshMultiZoneService", "name": "a"}, "default": IDLE}]},
    ],
)
def test_accepts(spec: dict[str, Any]) -> None:
    assert verdict(KIND, spec) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, [("spec", "at least one of 'from', 'to' or 'rules' has to be defined")]),
        (
            {"rules": [{"default": IDLE}], "to": [TO_MESH]},
            [("spec", "fields 'to' and 'from' must be empty when 'rules' is defined")],
        ),
        (
            {"to": [{"targetRef": {"kind": "Mesh"}}]},
            [("spec.to[0].default", "at least one timeout should be configured")],
        ),
        (
            {
                "to": [
                    {
                        "targetRef": {"kind": "Mesh", "name": "x", "tags": {"a": "b"}},
                        "default": {
                            "idleTimeout": "-1s",
                            "connectionTimeout": "0s",
                            "http": {"requestHeadersTimeout": "1s"},
                        },
                    }
                ]
            },
            [
                ("spec.to[0].targetRef.name", "using name with kind Mesh is not yet supported"),
                ("spec.to[0].targetRef.tags", "must not be set with kind Mesh"),
                (
                    "spec.to[0].default.connectionTimeout",
                    "must be greater than zero when defined",
                ),
                ("spec.to[0].default.idleTimeout", "must not be negative when defined"),
                (
                    "spec.to[0].default.http",
                    "at least one timeout in this section should be configured",
                ),
            ],
        ),
        (
            {"to": [{"targetRef": {"kind": "MeshService"}, "default": IDLE}]},
            [("spec.to[0].targetRef", "name or labels must be set when kind is MeshService")],
        ),
        (
            {"targetRef": {"kind": "Dataplane", "sectionName": "x"}, "to": [TO_MESH]},
            [("spec.targetRef.sectionName", "can only be used with inbound policies")],
        ),
        (
            {"targetRef": {"kind": "MeshSubset", "proxyTypes": []}, "to": [TO_MESH]},
            [("spec.targetRef.proxyTypes", "must be undefined or have at least one element")],
        ),
        (
            {"targetRef": {"kind": "MeshSubset", "tags": {"": "", "a b": "c d"}}, "to": [TO_MESH]},
            [
                ("spec.targetRef.tags", "tag name must be non-empty"),
                ('spec.targetRef.tags[""]', "tag value must be non-empty"),
                (
                    'spec.targetRef.tags["a b"]',
                    (
                        "tag name must consist of alphanumeric characters, dots, dashes, slashes and "
                        "underscores"
                    ),
                ),
                (
                    'spec.targetRef.tags["a b"]',
                    (
                        "tag value must consist of alphanumeric characters, dots, dashes and "
                        "underscores"
                    ),
                ),
            ],
        ),
        (
            {
                "targetRef": {"kind": "MeshHTTPRoute", "name": "r"},
                "from": [TO_MESH],
                "to": [
                    {
                        "targetRef": {"kind": "Mesh"},
                        "default": {"idleTimeout": "1s", "http": {"maxStreamDuration": "1s"}},
                    },
                    {"targetRef": {"kind": "MeshService", "name": "a"}, "default": {"http": {}}},
                ],
            },
            [
                ("spec.from", "must not be defined"),
                ("spec.to[0].default.idleTimeout", _ON_ROUTE),
                ("spec.to[0].default.http.maxStreamDuration", _ON_ROUTE),
                ("spec.to[1].targetRef.kind", "value 'MeshService' is not supported"),
                (
                    "spec.to[1].default.http",
                    "at least one timeout in this section should be configured",
                ),
            ],
        ),
        (
            {
                "rules": [
                    {
                        "default": IDLE,
                        "matches": [
                            {},
                            {"spiffeID": {"type": "Exact", "value": "zz"}},
                            {"spiffeID": {"type": "Prefix", "value": "spiffe://a/"}},
                        ],
                    }
                ]
            },
            [
                ("spec.rules[0].matches[0]", "must specify at least one of 'spiffeID' or 'sni'"),
                (
                    "spec.rules[0].matches[1].spiffeID",
                    "must be a valid Spiffe ID: scheme is missing or invalid",
                ),
                (
                    "spec.rules[0].matches[2].spiffeID",
                    "must be a valid Spiffe ID: path cannot have a trailing slash",
                ),
                ("spec.rules[0].default.idleTimeout", _UNCONDITIONAL),
            ],
        ),
    ],
)
def test_refuses(spec: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert verdict(KIND, spec) == expected


@pytest.mark.parametrize("kind", ["MeshHTTPRoute", "MeshGateway"])
def test_a_policy_of_a_namespace_may_not_target_routes_and_gateways(kind: str) -> None:
    spec = {
        "targetRef": {"kind": kind, "name": "r"},
        "to": [{**TO_MESH, "default": {"http": {"requestTimeout": "1s"}}}],
    }
    labels = {"k8s.kuma.io/namespace": "shop", "kuma.io/policy-role": "consumer"}
    assert verdict(KIND, spec, **labels) == [
        ("spec.targetRef.kind", f"value '{kind}' is not supported")
    ]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"to": [{"default": IDLE}]}, "spec.to[0].targetRef"),
        ({"to": [{"targetRef": {"kind": "Blah"}, "default": IDLE}]}, "spec.to[0].targetRef.kind"),
        ({"to": [{**TO_MESH, "default": {"idleTimeout": 1}}]}, "spec.to[0].default.idleTimeout"),
        ({"to": [{**TO_MESH, "default": {"idle": "1s"}}]}, "spec.to[0].default.idle"),
        ({"too": []}, "spec.too"),
        (
            {"rules": [{"matches": [{"spiffeID": {"value": "spiffe://a/b"}}]}]},
            "spec.rules[0].matches[0].spiffeID.type",
        ),
    ],
)
def test_names_the_field_that_does_not_fit_the_schema(spec: dict[str, Any], field: str) -> None:
    assert [where for where, _ in verdict(KIND, spec)] == [field]
