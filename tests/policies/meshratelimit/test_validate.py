"""Fields and messages are those of Kuma 2.14.3, given the same specs."""

from typing import Any

import pytest

from kuma.policies.meshratelimit import KIND
from tests.policies.verdict import verdict
from tests.support.builders import a_resource

MESH = {"kind": "Mesh"}
SIDECARS = {"kind": "Mesh", "proxyTypes": ["Sidecar"]}
ROUTE = {"kind": "MeshHTTPRoute", "name": "x"}
RATE = {"num": 1, "interval": "1s"}
LIMIT = {"local": {"http": {"requestRate": RATE}}}
WEB = {"spiffeID": {"type": "Exact", "value": "spiffe://a/b"}}
FROM_GATEWAYS = (
    "must not be defined when the scope includes a Gateway, select only proxyType Sidecar or "
    "select only gateways and use spec.to"
)


def rule(default: dict[str, Any], *matches: dict[str, Any]) -> dict[str, Any]:
    return {"targetRef": SIDECARS, "rules": [{"matches": [*matches], "default": default}]}


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"targetRef": MESH, "rules": []},
        {"targetRef": MESH, "to": [{"targetRef": MESH, "default": LIMIT}]},
        {"targetRef": ROUTE, "to": [{"targetRef": MESH, "default": LIMIT}]},
        {"targetRef": SIDECARS, "from": [{"targetRef": MESH, "default": LIMIT}]},
        {"targetRef": {"kind": "Dataplane", "sectionName": "x"}, "rules": [{"default": LIMIT}]},
        rule(LIMIT, WEB),
        rule({"local": {"http": {"disabled": True}, "tcp": {"disabled": False}}}),
        rule({"local": {"http": {"onRateLimit": {"status": 99999}}}}),
    ],
)
def test_accepts(spec: dict[str, Any]) -> None:
    assert verdict(KIND, spec) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"rules": [{"default": LIMIT}]}, [("spec.rules", "must not be defined")]),
        (
            {"targetRef": MESH, "from": [{"targetRef": MESH, "default": LIMIT}]},
            [("spec.from", FROM_GATEWAYS)],
        ),
        (
            {"targetRef": ROUTE, "from": [{"targetRef": MESH, "default": LIMIT}]},
            [("spec.from", FROM_GATEWAYS)],
        ),
        ({"targetRef": ROUTE, "rules": [{}]}, [("spec.rules", "must not be defined")]),
        (
            {"targetRef": SIDECARS, "to": [{"targetRef": MESH, "default": LIMIT}]},
            [("spec.to", "must not be defined")],
        ),
        (
            {"to": [{"targetRef": {"kind": "MeshService", "name": "a"}, "default": LIMIT}]},
            [("spec.to[0].targetRef.kind", "value 'MeshService' is not supported")],
        ),
        (
            {
                "targetRef": SIDECARS,
                "rules": [{"default": LIMIT}],
                "to": [{"targetRef": MESH}],
                "from": [{"targetRef": MESH}],
            },
            [
                ("spec", "fields 'to' and 'from' must be empty when 'rules' is defined"),
                ("spec.from[0].default.local", "must be defined"),
                ("spec.to", "must not be defined"),
            ],
        ),
        (
            {"targetRef": SIDECARS, "from": [{"targetRef": {"kind": "MeshSubset"}}]},
            [
                ("spec.from[0].targetRef.kind", "value 'MeshSubset' is not supported"),
                ("spec.from[0].default.local", "must be defined"),
            ],
        ),
        (
            {"targetRef": SIDECARS, "rules": [{}]},
            [("spec.rules[0].default.local", "must be defined")],
        ),
        (
            rule({"local": {}}),
            [("spec.rules[0].default.local", "must have at least one defined: tcp, http")],
        ),
        (
            rule({"local": {"http": {}, "tcp": {}}}),
            [
                (
                    "spec.rules[0].default.local.http",
                    "must have at least one defined: disabled, requestRate, onRateLimit",
                ),
                (
                    "spec.rules[0].default.local.tcp",
                    "must have at least one defined: disabled, connectionRate",
                ),
            ],
        ),
        (
            rule(
                {
                    "local": {
                        "http": {
                            "requestRate": {"num": 0, "interval": "50ms"},
                            "onRateLimit": {"status": 0},
                        },
                        "tcp": {"connectionRate": {"num": 0, "interval": "0s"}},
                    }
                }
            ),
            [
                ("spec.rules[0].default.local.http.requestRate.num", "must be greater than 0"),
                (
                    "spec.rules[0].default.local.http.requestRate.interval",
                    "must be greater than: 50ms",
                ),
                ("spec.rules[0].default.local.http.onRateLimit.status", "must be greater than 0"),
                ("spec.rules[0].default.local.tcp.connectionRate.num", "must be greater than 0"),
                (
                    "spec.rules[0].default.local.tcp.connectionRate.interval",
                    "must be greater than: 50ms",
                ),
            ],
        ),
        (
            rule(LIMIT, {}),
            [("spec.rules[0].matches[0]", "must specify at least one of 'spiffeID' or 'sni'")],
        ),
        (
            rule({"local": {"tcp": {"disabled": True}}}, WEB),
            [
                (
                    "spec.rules[0].default.local.tcp",
                    (
                        "can't be specified when matches contain spiffeID because this field cannot "
                        "be conditioned on source identity"
                    ),
                )
            ],
        ),
        (
            rule(LIMIT, {"spiffeID": {"type": "Exact", "value": "x"}}),
            [
                (
                    "spec.rules[0].matches[0].spiffeID",
                    "must be a valid Spiffe ID: scheme is missing or invalid",
                )
            ],
        ),
    ],
)
def test_refuses(spec: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert verdict(KIND, spec) == expected


def test_only_system_policies_target_routes() -> None:
    labels = {"k8s.kuma.io/namespace": "app", "kuma.io/policy-role": "workload-owner"}

    assert verdict(KIND, {"targetRef": ROUTE}, **labels) == [
        ("spec.targetRef.kind", "value 'MeshHTTPRoute' is not supported")
    ]


def test_a_header_that_envoy_would_reject_is_refused_though_kuma_takes_it() -> None:
    headers = {"add": [{"name": "x", "value": "a\nb"}]}
    field = "spec.rules[0].default.local.http.onRateLimit.headers.add[0].value"

    assert verdict(KIND, rule({"local": {"http": {"onRateLimit": {"headers": headers}}}})) == [
        (field, "must not contain line breaks or null characters")
    ]


def test_warns_of_from_of_low_statuses_and_of_targets_by_tags() -> None:
    low = {"local": {"http": {"onRateLimit": {"status": 399}}}}
    spec = {
        "targetRef": {"kind": "MeshSubset", "proxyTypes": ["Sidecar"]},
        "from": [{"targetRef": MESH, "default": LIMIT}, {"targetRef": MESH, "default": low}],
    }

    assert [*KIND.deprecations(a_resource(KIND, "p", spec))] == [
        "'from' field is deprecated, use 'rules' instead",
        (
            "'spec.from[1].default.local.http.requestRate.status' must be 400 or higher. "
            "Please update your configuration."
        ),
        "MeshSubset value for 'targetRef.kind' is deprecated, use Dataplane with labels instead",
    ]
