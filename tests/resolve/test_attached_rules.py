"""The older form of the rules in force. Compared with Kuma 2.14.3."""

from kuma.plan import names
from kuma.resolve.attached_rules import attached_rules
from tests.resolve.world import MESH_TARGET, a_permission, a_policy, a_timeout, a_view
from tests.support.builders import a_dataplane, an_inbound, an_outbound

ORIGIN = [{"mesh": "default", "name": "p"}]


def test_each_rule_says_what_it_is_attached_to() -> None:
    zipkin = {"type": "Datadog", "datadog": {"url": "http://10.0.0.1:8126"}}
    view = a_view(
        a_dataplane(
            "dp",
            inbounds=[an_inbound("web", 80)],
            outbounds=[
                an_outbound("api", 9001),
                an_outbound("api", 9002),
                {"port": 9003, "backendRef": {"kind": "MeshService", "name": "api", "port": 80}},
            ],
        ),
        a_permission("p", ({"kind": "MeshService", "name": "api"}, "Deny"), (MESH_TARGET, "Allow")),
        a_timeout("p", 1),
        a_policy("MeshTrace", "p", {"default": {"backends": [zipkin]}}),
    )
    found = attached_rules(view, "dp")
    inbound = {
        "type": "ClientSubset",
        "name": names.destination("web", (("kuma.io/protocol", "http"),)),
        "addresses": ["127.0.0.1:80"],
        "service": "web",
        "tags": {"kuma.io/protocol": "http", "kuma.io/service": "web"},
        "policyType": "MeshTrafficPermission",
        "origins": ORIGIN,
    }
    assert found == {
        "total": 4,
        "items": [
            {
                "type": "SingleItem",
                "policyType": "MeshTrace",
                "subset": {},
                "conf": {
                    "backends": [
                        {**zipkin, "datadog": {**zipkin["datadog"], "splitService": False}}
                    ]
                },
                "origins": ORIGIN,
            },
            {
                "type": "DestinationSubset",
                "name": "api",
                "addresses": ["127.0.0.1:9001", "127.0.0.1:9002"],
                "service": "api",
                "tags": {"kuma.io/service": "api"},
                "policyType": "MeshTimeout",
                "subset": {},
                "conf": {"http": {"requestTimeout": "1s"}},
                "origins": ORIGIN,
            },
            {**inbound, "subset": {"kuma.io/service": "api"}, "conf": {"action": "Allow"}},
            {**inbound, "subset": {"kuma.io/service": "!api"}, "conf": {"action": "Allow"}},
        ],
    }


def test_an_inbound_without_tags_is_no_reason_to_fail() -> None:
    bare = {"port": 80, "servicePort": 81}
    view = a_view(a_dataplane("dp", inbounds=[bare]), a_permission("p", (MESH_TARGET, "Allow")))
    [found] = attached_rules(view, "dp")["items"]
    assert (found["name"], found["tags"]) == ("", {})


def test_a_dataplane_that_is_not_there_has_none() -> None:
    assert attached_rules(a_view(), "dp") == {"total": 0, "items": []}
