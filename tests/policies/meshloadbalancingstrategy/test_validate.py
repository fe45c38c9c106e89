"""Fields and messages are those of Kuma 2.14.3, given the same specs, but for what only we refuse."""

from typing import Any

import pytest

from kuma.policies.meshloadbalancingstrategy import KIND
from tests.policies.verdict import verdict

DEFAULT = "spec.to[0].default"
MESH = {"kind": "Mesh"}


def a_spec(
    default: dict[str, Any], to: dict[str, Any] = MESH, top: dict[str, Any] | None = None
) -> dict[str, Any]:
    spec: dict[str, Any] = {"to": [{"targetRef": to, "default": default}]}
    return spec if top is None else {"targetRef": top, **spec}


def ring_hash(*policies: dict[str, Any]) -> dict[str, Any]:
    return {"loadBalancer": {"type": "RingHash", "ringHash": {"hashPolicies": list(policies)}}}


def cross_zone(**cross: Any) -> dict[str, Any]:
    return {"localityAwareness": {"crossZone": cross}}


@pytest.mark.parametrize(
    "spec",
    [
        {},
        a_spec({}),
        a_spec({"loadBalancer": {"type": "Random", "random": {}}}),
        a_spec({"loadBalancer": {"type": "LeastRequest", "leastRequest": {"choiceCount": 2}}}),
        a_spec(
            {"loadBalancer": {"type": "LeastRequest", "leastRequest": {"activeRequestBias": 0}}}
        ),
        a_spec({"loadBalancer": {"type": "Maglev", "maglev": {"tableSize": 65537}}}),
        a_spec(ring_hash({"type": "Header", "header": {"name": "x"}})),
        a_spec({"hashPolicies": [{"type": "SourceIP", "connection": {"sourceIP": True}}]}),
        a_spec(
            {"hashPolicies": [{"type": "Cookie", "cookie": {"name": "a", "path": "/"}}]},
            {"kind": "MeshHTTPRoute", "name": "a"},
        ),
        a_spec(
            cross_zone(failover=[{"to": {"type": "Any"}}], failoverThreshold={"percentage": 70})
        ),
        a_spec({"localityAwareness": {"localZone": {"affinityTags": [{"key": "a"}]}}}),
        a_spec({}, {"kind": "MeshService", "name": "a"}, {"kind": "MeshGateway", "name": "g"}),
    ],
)
def test_accepts(spec: dict[str, Any]) -> None:
    assert verdict(KIND, spec) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            a_spec(
                {"loadBalancer": {"type": "Random"}, "localityAwareness": {}},
                {"kind": "MeshHTTPRoute", "name": "a"},
            ),
            [
                (
                    f"{DEFAULT}.loadBalancer",
                    (
                        "field is not allowed when targetRef.kind is MeshHTTPRoute, only hashPolicies "
                        "is supported"
                    ),
                ),
                (
                    f"{DEFAULT}.localityAwareness",
                    (
                        "field is not allowed when targetRef.kind is MeshHTTPRoute, only hashPolicies "
                        "is supported"
                    ),
                ),
            ],
        ),
        (
            a_spec({}, {"kind": "MeshSubset"}),
            [("spec.to[0].targetRef.kind", "value 'MeshSubset' is not supported")],
        ),
        (
            a_spec(
                {"loadBalancer": {"type": "Random"}},
                {"kind": "MeshService", "name": "a"},
                {"kind": "MeshGateway", "name": "g"},
            ),
            [
                (
                    "spec.to[0].targetRef.kind",
                    (
                        "value 'MeshGateway' is not supported, only Mesh is allowed if loadBalancer "
                        "is set"
                    ),
                )
            ],
        ),
        (
            a_spec(
                ring_hash(
                    {"type": "Header"},
                    {"type": "Cookie"},
                    {"type": "Cookie", "cookie": {"name": "a", "path": "b"}},
                    {"type": "Connection"},
                    {"type": "SourceIP"},
                    {"type": "QueryParameter"},
                    {"type": "FilterState"},
                )
            ),
            [
                (f"{DEFAULT}.loadBalancer.ringHash.hashPolicies[0].header", "must be defined"),
                (f"{DEFAULT}.loadBalancer.ringHash.hashPolicies[1].cookie", "must be defined"),
                (
                    f"{DEFAULT}.loadBalancer.ringHash.hashPolicies[2].cookie.path",
                    "must be an absolute path",
                ),
                (f"{DEFAULT}.loadBalancer.ringHash.hashPolicies[3].connection", "must be defined"),
                (f"{DEFAULT}.loadBalancer.ringHash.hashPolicies[4].connection", "must be defined"),
                (
                    f"{DEFAULT}.loadBalancer.ringHash.hashPolicies[5].queryParameter",
                    "must be defined",
                ),
                (f"{DEFAULT}.loadBalancer.ringHash.hashPolicies[6].filterState", "must be defined"),
            ],
        ),
        (
            a_spec(
                {
                    "hashPolicies": [],
                    "loadBalancer": {"type": "Maglev", "maglev": {"hashPolicies": []}},
                }
            ),
            [
                (
                    f"{DEFAULT}.loadBalancer.maglev.hashPolicies",
                    "hashPolicies already specified in the root level",
                )
            ],
        ),
        (
            a_spec(
                {
                    "loadBalancer": {
                        "type": "LeastRequest",
                        "leastRequest": {"activeRequestBias": "x"},
                    }
                }
            ),
            [
                (
                    f"{DEFAULT}.loadBalancer.leastRequest.activeRequestBias",
                    "string must be a valid number",
                )
            ],
        ),
        (
            a_spec(
                {
                    "loadBalancer": {
                        "type": "LeastRequest",
                        "leastRequest": {"activeRequestBias": -1},
                    }
                }
            ),
            [
                (
                    f"{DEFAULT}.loadBalancer.leastRequest.activeRequestBias",
                    "must be greater or equal then: 0",
                )
            ],
        ),
        (
            a_spec(
                {
                    "localityAwareness": {
                        "localZone": {"affinityTags": [{"key": ""}, {"key": "a", "weight": 0}]}
                    }
                }
            ),
            [
                (
                    f"{DEFAULT}.localityAwareness.localZone.affinityTags[0].key",
                    "must not be empty",
                ),
                (
                    f"{DEFAULT}.localityAwareness.localZone.affinityTags[1].weight",
                    "must be greater than 0",
                ),
                (
                    f"{DEFAULT}.localityAwareness.localZone.affinityTags",
                    "all or none affinity tags should have weight",
                ),
            ],
        ),
        (
            a_spec(
                cross_zone(
                    failover=[
                        {"from": {"zones": []}, "to": {"type": "Only"}},
                        {"from": {"zones": ["a", ""]}, "to": {"type": "AnyExcept", "zones": []}},
                        {"to": {"type": "None", "zones": ["a"]}},
                    ],
                    failoverThreshold={"percentage": 0},
                )
            ),
            [
                (
                    f"{DEFAULT}.localityAwareness.crossZone.failover[0].from.zones",
                    "must not be empty",
                ),
                (
                    f"{DEFAULT}.localityAwareness.crossZone.failover[0].to.zones",
                    "must not be empty when type is Only",
                ),
                (
                    f"{DEFAULT}.localityAwareness.crossZone.failover[1].from.zones[1]",
                    "must not be empty",
                ),
                (
                    f"{DEFAULT}.localityAwareness.crossZone.failover[1].to.zones",
                    "must not be empty when type is AnyExcept",
                ),
                (
                    f"{DEFAULT}.localityAwareness.crossZone.failover[2].to.zones",
                    "must be empty when type is None",
                ),
                (
                    f"{DEFAULT}.localityAwareness.crossZone.failoverThreshold.percentage",
                    "must be greater than 0",
                ),
            ],
        ),
        (
            a_spec(
                cross_zone(failoverThreshold={"percentage": "101"}),
                {"kind": "MeshService", "labels": {"a": "b"}},
            ),
            [
                (
                    f"{DEFAULT}.localityAwareness.crossZone",
                    "must not be set: MeshService traffic is local",
                ),
                (
                    f"{DEFAULT}.localityAwareness.crossZone.failoverThreshold.percentage",
                    "must be in inclusive range [0.0, 100.0]",
                ),
            ],
        ),
    ],
)
def test_refuses(spec: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert verdict(KIND, spec) == expected


@pytest.mark.parametrize(
    ("default", "expected"),
    [
        (
            {"loadBalancer": {"type": "Maglev", "maglev": {"tableSize": 100}}},
            (f"{DEFAULT}.loadBalancer.maglev.tableSize", "must be a prime number"),
        ),
        (
            {"hashPolicies": [{"type": "Cookie", "cookie": {"name": "a", "ttl": "-1s"}}]},
            (f"{DEFAULT}.hashPolicies[0].cookie.ttl", "must not be negative when defined"),
        ),
        (
            {"hashPolicies": [{"type": "Header", "header": {"name": "a\nb"}}]},
            (
                f"{DEFAULT}.hashPolicies[0].header.name",
                "must not contain line breaks or null characters",
            ),
        ),
        (
            {
                "localityAwareness": {
                    "localZone": {
                        "affinityTags": [
                            {"key": "a", "weight": 2**31 - 1},
                            {"key": "b", "weight": 2**31 - 1},
                            {"key": "c", "weight": 1},
                        ]
                    }
                }
            },
            (
                f"{DEFAULT}.localityAwareness.localZone.affinityTags",
                "weights must not add up to over 4294967294",
            ),
        ),
    ],
)
def test_refuses_what_envoy_would_refuse(
    default: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert verdict(KIND, a_spec(default)) == [expected]


@pytest.mark.parametrize(
    ("target", "default", "expected"),
    [
        ({"kind": "Mesh"}, {"loadBalancer": {"type": "Random"}}, []),
        (
            {"kind": "MeshService", "name": "a"},
            {"loadBalancer": {"type": "Random"}},
            ["value 'MeshGateway' is not supported, only Mesh is allowed if loadBalancer is set"],
        ),
        (
            {"kind": "MeshMultiZoneService", "name": "a"},
            {"localityAwareness": {"disabled": True}},
            [],
        ),
        (
            {"kind": "MeshExternalService", "name": "a"},
            {"localityAwareness": {"disabled": True}},
            [
                "value 'MeshExternalService' is not supported",
                (
                    "kind MeshExternalService is only allowed with targetRef.kind: Mesh as it is "
                    "configured on the Zone Egress and shared by all clients in the mesh"
                ),
            ],
        ),
    ],
)
def test_what_a_gateway_may_be_told(
    target: dict[str, Any], default: dict[str, Any], expected: list[str]
) -> None:
    spec = {
        "targetRef": {"kind": "MeshGateway", "name": "g"},
        "to": [{"targetRef": target, "default": default}],
    }
    assert verdict(KIND, spec) == [("spec.to[0].targetRef.kind", text) for text in expected]
