"""Warnings are those of Kuma 2.14.3."""

from typing import Any

import pytest

from tests.resolve.world import a_policy

MESH = {"kind": "Mesh"}
IDLE = {"idleTimeout": "1s"}


def warnings(kind: str, spec: dict[str, Any]) -> list[str]:
    policy = a_policy(kind, "p", spec)
    return [*policy.kind.deprecations(policy)]


@pytest.mark.parametrize("target", ["MeshSubset", "MeshService", "MeshServiceSubset"])
def test_a_top_level_target_by_tags(target: str) -> None:
    assert warnings("MeshRetry", {"targetRef": {"kind": target, "name": "a"}}) == [
        f"{target} value for 'targetRef.kind' is deprecated, use Dataplane with labels instead"
    ]


def test_from_where_there_are_rules() -> None:
    spec = {
        "targetRef": {"kind": "MeshHTTPRoute", "name": "r"},
        "from": [{"targetRef": MESH, "default": IDLE}],
    }
    assert warnings("MeshTimeout", spec) == [
        "'from' field is deprecated, use 'rules' instead",
        (
            "MeshHTTPRoute value for 'targetRef.kind' is deprecated, "
            "use MeshHTTPRoute in spec.to[].targetRef"
        ),
    ]


def test_clients_by_service() -> None:
    client = {"kind": "MeshService", "name": "web"}
    spec = {"from": [{"targetRef": client, "default": {"action": "Allow"}}]}
    assert warnings("MeshTrafficPermission", spec) == [
        (
            "'from' field is deprecated and will be removed in 3.0, use 'rules' with MeshIdentity "
            "(spiffeId) instead"
        ),
        (
            "MeshService value for 'from[].targetRef.kind' is deprecated, use MeshSubset with "
            "'kuma.io/service' instead"
        ),
    ]


@pytest.mark.parametrize(("kind", "field"), [("RingHash", "ringHash"), ("Maglev", "maglev")])
def test_hash_policies_inside_of_a_balancer(kind: str, field: str) -> None:
    hashes = {"hashPolicies": [{"type": "SourceIP", "connection": {"sourceIP": True}}]}
    balancer = {"type": kind, field: hashes, "roundRobin": {}}
    spec = {"to": [{"targetRef": MESH, "default": {"loadBalancer": balancer}}]}
    inside = f"spec.to[0].default.loadBalancer.{field}.hashPolicies"
    assert warnings("MeshLoadBalancingStrategy", spec) == [
        f"configuration '{inside}' is deprecated, use 'spec.to[0].default.hashPolicies' instead",
        f"SourceIP type for '{inside}[0].type' is deprecated, use Connection instead",
    ]


def test_nothing_is_wrong_with_what_is_current() -> None:
    assert warnings("MeshTimeout", {"targetRef": MESH, "rules": [{"default": IDLE}]}) == []


def test_an_endpoint_where_there_is_a_reference() -> None:
    inline = {"type": "OpenTelemetry", "openTelemetry": {"endpoint": "collector"}}
    ref = {"kind": "MeshOpenTelemetryBackend", "labels": {"a": "b"}}
    shared = {"type": "OpenTelemetry", "openTelemetry": {"backendRef": ref}}
    told = [
        (
            "openTelemetry.endpoint is deprecated, use openTelemetry.backendRef with a "
            "MeshOpenTelemetryBackend resource instead"
        )
    ]

    assert warnings("MeshTrace", {"default": {"backends": [inline]}}) == told
    assert warnings("MeshTrace", {"default": {"backends": [shared]}}) == []
    assert warnings("MeshMetric", {"default": {"backends": [inline, shared, inline]}}) == told
    logged = [{"default": {"backends": [inline, shared, inline]}}]
    assert warnings("MeshAccessLog", {"rules": logged}) == told
