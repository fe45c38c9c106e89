"""The policies that a new mesh starts with."""

import pytest

from kuma.policies.defaults import default_policies
from tests.support.builders import a_mesh


def test_a_mesh_starts_with_timeouts_limits_and_retries() -> None:
    found = {each.name: each.spec.to_json() for each in default_policies(a_mesh("shop"))}
    assert sorted(found) == [
        "mesh-circuit-breaker-all-shop",
        "mesh-gateways-timeout-all-shop",
        "mesh-retry-all-shop",
        "mesh-timeout-all-shop",
    ]
    assert found["mesh-timeout-all-shop"] == {
        "targetRef": {"kind": "Mesh", "proxyTypes": ["Sidecar"]},
        "to": [
            {
                "targetRef": {"kind": "Mesh"},
                "default": {
                    "connectionTimeout": "5s",
                    "idleTimeout": "1h0m0s",
                    "http": {"requestTimeout": "15s", "streamIdleTimeout": "30m0s"},
                },
            }
        ],
        "from": [
            {
                "targetRef": {"kind": "Mesh"},
                "default": {
                    "connectionTimeout": "10s",
                    "idleTimeout": "2h0m0s",
                    "http": {
                        "requestTimeout": "0s",
                        "streamIdleTimeout": "1h0m0s",
                        "maxStreamDuration": "0s",
                    },
                },
            }
        ],
    }


def test_default_policies_are_valid() -> None:
    for policy in default_policies(a_mesh()):
        assert policy.mesh == "default"
        assert policy.kind.validate(policy) == ()


@pytest.mark.parametrize(
    ("skipped", "left"),
    [
        (["*"], []),
        (["MeshTimeout", "MeshRetry"], ["mesh-circuit-breaker-all-default"]),
        (["Unknown"], None),
    ],
)
def test_a_mesh_may_start_without(skipped: list[str], left: list[str] | None) -> None:
    mesh = a_mesh(spec={"skipCreatingInitialPolicies": skipped})
    names = [each.name for each in default_policies(mesh)]
    assert len(names) == 4 if left is None else names == left
