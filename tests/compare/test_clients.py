"""What either side's filters mean for a client, as Envoy has it."""

import pytest

from tests.compare import clients
from tests.compare.chance import Json
from tests.compare.clients import FAULT, RATE_LIMIT, RBAC, Client

WEB = Client(("spiffe://m/web", "kuma://version/v1"), "a.b", (("kuma.io/service", "web"),))


def named(text: str) -> Json:
    return {"authenticated": {"principalName": {"exact": text}}}


def rules(*principals: Json) -> Json:
    return {"rules": {"policies": {"p": {"principals": list(principals)}}}}


def uri(**match: str) -> Json:
    return {
        "singlePredicate": {
            "input": {"typedConfig": {"@type": "x.UriSanInput"}},
            "valueMatch": match,
        }
    }


def action(name: str, **config: Json) -> Json:
    return {"action": {"name": name, "typedConfig": config}}


@pytest.mark.parametrize(
    ("config", "is_let_in"),
    [
        ({}, True),
        ({"rules": {}}, False),
        (rules({"any": True}), True),
        (rules(named("spiffe://m/api"), named("kuma://version/v1")), True),
        (rules({"andIds": {"ids": [named("spiffe://m/web"), {"notId": named("kuma://x/y")}]}}), True),
        (rules({"orIds": {"ids": [named("spiffe://m/api"), named("spiffe://m/we")]}}), False),
        ({"matcher": {"onNoMatch": action("default", action="DENY")}}, False),
        ({"matcher": {"onNoMatch": action("default")}}, True),
        (
            {
                "matcher": {
                    "matcherList": {
                        "matchers": [
                            {"predicate": uri(exact="spiffe://m/w"), "onMatch": action("a")},
                            {
                                "predicate": {"notMatcher": uri(prefix="spiffe://other")},
                                "onMatch": action("b", action="DENY"),
                            },
                        ]
                    },
                    "onNoMatch": action("default"),
                }
            },
            False,
        ),
    ],
)  # fmt: skip
def test_who_is_let_in(config: Json, is_let_in: bool) -> None:
    assert clients.permission(config, WEB)["is"] is is_let_in


def manager(*filters: Json, **host: Json) -> Json:
    return {"httpFilters": list(filters), "routeConfig": {"virtualHosts": [host]}}


def test_faults_are_for_whom_the_headers_say_or_the_matcher_that_comes_with_the_routes() -> None:
    header = {"name": "x-kuma-tags", "stringMatch": {"safeRegex": {"regex": ".*service=web&.*"}}}
    percentage = {"numerator": 50}
    fault = {"abort": {"httpStatus": 500, "percentage": percentage}, "headers": [header]}
    there = manager({"name": FAULT, "typedConfig": fault})
    chosen = action(
        FAULT, filterChain={"typedConfig": [{"typedConfig": {"abort": fault["abort"]}}]}
    )
    config = {"xdsMatcher": {"onNoMatch": chosen}}
    here = manager({"name": FAULT}, typedPerFilterConfig={FAULT: config})
    said = [{"abort": {"httpStatus": 500, "percentage": 500_000}}]
    assert clients.http(there, WEB)["faults"] == clients.http(here, WEB)["faults"] == said
    assert clients.http(there, clients.ANYBODY)["faults"] == []
    without = manager(typedPerFilterConfig={FAULT: config})
    assert clients.http(without, WEB)["faults"] == [], "a filter must be there to act"


def test_routes_are_those_for_the_client_with_its_limits() -> None:
    only = {"filterState": [{"key": "x.match.sni", "stringMatch": {"exact": "a.b"}}], "prefix": "/"}
    limit = {"tokenBucket": {"maxTokens": 5}, "filterEnabled": {}}
    routes = [
        {"match": only, "typedPerFilterConfig": {RATE_LIMIT: limit}},
        {"match": {"prefix": "/"}},
    ]
    found = manager({"name": RATE_LIMIT}, {"name": RBAC}, routes=routes)
    [for_web] = clients.http(found, WEB)["routes"]
    assert for_web["limits"] == [{"tokenBucket": {"maxTokens": 5}}]
    [for_others] = clients.http(found, clients.ANYBODY)["routes"]
    assert for_others["limits"] == []


def test_contested_are_those_of_whom_entries_say_different_things() -> None:
    entries = [
        {"targetRef": {"kind": "Mesh"}, "default": {"action": "Allow"}},
        {"targetRef": {"kind": "MeshService", "name": "db"}, "default": {"action": "Deny"}},
    ]
    document = {"type": "MeshTrafficPermission", "spec": {"from": entries}}
    found = {dict(each.tags)["kuma.io/service"] for each in clients.contested("m", [document])}
    assert found == {"db"}
