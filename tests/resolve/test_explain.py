"""What `_rules` and the list of attached policies say. Compared with Kuma 2.14.3."""

import pytest

from kuma.resolve.explain import attached_policies, explain_rules, is_selected
from kuma.resources.kinds.mesh_service import MESH_SERVICE
from tests.resolve.world import a_permission, a_policy, a_timeout, a_view, an_http_route
from tests.support.builders import a_dataplane, a_resource, an_inbound

DATAPLANE = a_dataplane("dp", inbounds=[an_inbound("web", 8080, name="main")], labels={"a": "b"})
INBOUND = {
    "name": "main",
    "port": 8080,
    "tags": {"kuma.io/service": "web", "kuma.io/protocol": "http"},
}
PERMISSION = {"type": "MeshTrafficPermission", "mesh": "default", "name": "p", "labels": {}}


def test_says_who_may_come_and_which_policy_says_so() -> None:
    policy = a_permission(
        "p", ({"kind": "Mesh"}, "Deny"), ({"kind": "MeshService", "name": "api"}, "Allow")
    )
    service = {"key": "kuma.io/service", "value": "api"}
    assert explain_rules(a_view(DATAPLANE, policy), "dp") == {
        "resource": {"type": "Dataplane", "mesh": "default", "name": "dp", "labels": {"a": "b"}},
        "httpMatches": [],
        "rules": [
            {
                "type": "MeshTrafficPermission",
                "toRules": [],
                "toResourceRules": [],
                "fromRules": [
                    {
                        "inbound": INBOUND,
                        "rules": [
                            {
                                "matchers": [{**service, "not": False}],
                                "conf": {"action": "Allow"},
                                "origin": [PERMISSION],
                            },
                            {
                                "matchers": [{**service, "not": True}],
                                "conf": {"action": "Deny"},
                                "origin": [PERMISSION],
                            },
                        ],
                    }
                ],
                "inboundRules": [],
                "warnings": [],
            }
        ],
    }


def test_shows_rules_by_match_with_one_origin_each() -> None:
    match = {"spiffeID": {"type": "Exact", "value": "spiffe://default/web"}}
    rules = [
        {"default": {"http": {"requestTimeout": "1m"}}},
        {"matches": [match], "default": {"http": {"requestTimeout": "2s"}}},
    ]
    (found,) = explain_rules(
        a_view(DATAPLANE, a_policy("MeshTimeout", "t", {"rules": rules})), "dp"
    )["rules"]
    meta = {"type": "MeshTimeout", "mesh": "default", "name": "t", "labels": {}}
    assert found["inboundRules"] == [
        {
            "inbound": INBOUND,
            "rules": [
                {
                    "match": match,
                    "conf": [{"http": {"requestTimeout": "2s"}}],
                    "origin": [{"resourceMeta": meta, "ruleIndex": 1}],
                },
                {
                    "conf": [{"http": {"requestTimeout": "1m0s"}}],
                    "origin": [{"resourceMeta": meta, "ruleIndex": 0}],
                },
            ],
        }
    ]


def test_a_rule_towards_the_mesh_shows_by_tags_and_by_resource() -> None:
    (found,) = explain_rules(a_view(DATAPLANE, a_timeout("t", 1)), "dp")["rules"]
    conf = {"http": {"requestTimeout": "1s"}}
    meta = {"type": "MeshTimeout", "mesh": "default", "name": "t", "labels": {}}
    assert found["toRules"] == [{"matchers": [], "conf": conf, "origin": [meta]}]
    assert found["toResourceRules"] == [
        {
            "resourceMeta": {"type": "Mesh", "mesh": "", "name": "default", "labels": {}},
            "resourceSectionName": "",
            "conf": [conf],
            "origin": [{"resourceMeta": meta, "ruleIndex": 0}],
        }
    ]


def test_tells_what_hashes_of_matches_stand_for() -> None:
    match = {"path": {"type": "PathPrefix", "value": "/old"}}
    route = an_http_route("r", "api", {"matches": [match], "default": {}})
    answer = explain_rules(a_view(DATAPLANE, route), "dp")
    assert answer["httpMatches"] == [
        {"hash": "3LnJNerkamwo9W/K/HclRwV1QR/iumgmPn5DRFphWAc=", "match": [match]}
    ]


def test_tells_what_hashes_stand_for_in_routes_to_a_resource() -> None:
    match = {"path": {"type": "PathPrefix", "value": "/old"}}
    spec = {"to": [{"targetRef": {"kind": "MeshService", "labels": {"app": "api"}}, "rules": [
        {"matches": [match], "default": {}}
    ]}]}  # fmt: skip
    service = a_resource(MESH_SERVICE, "api", {"ports": [{"port": 80}]}, labels={"app": "api"})
    route = a_policy("MeshHTTPRoute", "r", spec)
    answer = explain_rules(a_view(DATAPLANE, route, service), "dp")
    assert [each["match"] for each in answer["httpMatches"]] == [[match]]


@pytest.mark.parametrize(("namespace", "count"), [("", 1), ("shop", 0)])
def test_a_name_means_the_route_of_the_same_namespace(namespace: str, count: int) -> None:
    labels = {"k8s.kuma.io/namespace": namespace} if namespace else {}
    route = an_http_route(
        "r", "api", {"matches": [{"method": "GET"}], "default": {}}, labels=labels
    )
    target = {"kind": "MeshHTTPRoute", "name": "r"}
    spec = {"to": [{"targetRef": target, "default": {"http": {"requestTimeout": "1s"}}}]}
    view = a_view(DATAPLANE, route, a_policy("MeshTimeout", "t", spec))
    rules = {each["type"]: each["toResourceRules"] for each in explain_rules(view, "dp")["rules"]}
    assert len(rules.get("MeshTimeout", [])) == count


def test_warns_of_a_policy_whose_route_is_missing() -> None:
    top = {"kind": "MeshHTTPRoute", "name": "gone"}
    view = a_view(DATAPLANE, a_timeout("t", 1), a_timeout("u", 2, top=top))
    (found,) = explain_rules(view, "dp")["rules"]
    assert found["warnings"] == [
        (
            "unable to resolve TargetRef on policy: mesh:default name:u "
            "error:\"couldn't resolve MeshHTTPRoute targetRef with name 'gone'\""
        )
    ]


def test_too_many_combinations_are_not_shown_but_told() -> None:
    clients = [{"kind": "MeshSubset", "tags": {f"tag-{i}": "x"}} for i in range(16)]
    policy = a_permission("p", *((client, "Allow") for client in clients))
    rules = [{"default": {"allow": [{}]}}]
    other = a_policy("MeshTrafficPermission", "q", {"rules": rules})
    (found,) = explain_rules(a_view(DATAPLANE, policy, other), "dp")["rules"]
    assert found["fromRules"] == []
    assert found["warnings"] == [
        "too many combinations of tags to show; the policies are in force all the same"
    ]


def test_lists_what_is_attached_by_kind() -> None:
    view = a_view(DATAPLANE, a_timeout("b", 1), a_timeout("a", 2))
    (item,) = attached_policies(view, "dp")["items"]
    assert item["type"] == "dataplane"
    assert [each["name"] for each in item["matchedPolicies"]["MeshTimeout"]] == ["b", "a"]
    assert attached_policies(a_view(DATAPLANE), "dp") == {
        "kind": "SidecarDataplane",
        "total": 0,
        "items": [],
    }


def test_a_shadow_policy_is_said_to_select() -> None:
    shadow = a_timeout("t", 1, labels={"kuma.io/effect": "shadow"})
    assert is_selected(a_view(DATAPLANE, shadow), shadow, "dp")
    assert not is_selected(a_view(DATAPLANE, shadow), shadow, "gone")
    assert not is_selected(a_view(DATAPLANE, shadow), shadow, "dp", include_shadow=False)
    assert explain_rules(a_view(DATAPLANE, shadow), "dp")["rules"] == []
