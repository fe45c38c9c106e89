"""Routes of an outbound: order, default, backends."""

from typing import Any

import pytest

from kuma.plan.names import destination
from kuma.plan.protocol import Protocol
from kuma.plan.proxy import ProxyPlan
from kuma.plan.route import Forward, HttpRoute, HttpRouting, Redirect, TcpRouting, Weighted
from kuma.policies.meshhttproute.model import Match
from kuma.policies.meshhttproute.route import as_http_match
from kuma.policies.meshretry.model import RetryConf
from kuma.policies.meshtimeout.model import TimeoutConf
from kuma.resolve.routes import DEFAULT_ROUTE, precedence
from kuma.resources.resource import AnyResource
from tests.resolve.world import a_policy, a_timeout, an_http_route, messages, plan_of, the_outbound
from tests.support.builders import a_dataplane

WEB = a_dataplane("web-1", service="web", outbounds={9001: "api", 9002: "db"})
SERVERS = (
    a_dataplane("api-1", service="api", tags={"version": "v1"}),
    a_dataplane("db-1", service="db", protocol="tcp"),
    a_dataplane("users-1", service="users"),
)


def plan(*resources: AnyResource) -> ProxyPlan:
    return plan_of("web-1", WEB, *SERVERS, *resources)


def http_routes(found: ProxyPlan, service: str = "api") -> tuple[HttpRoute, ...]:
    routing = the_outbound(found, service).routing
    assert isinstance(routing, HttpRouting)
    return routing.routes


def a_rule(path: str = "/a", *refs: dict[str, Any], **default: Any) -> dict[str, Any]:
    if refs:
        default["backendRefs"] = list(refs)
    return {"matches": [{"path": {"type": "PathPrefix", "value": path}}], "default": default}


def a_ref(name: str, weight: int = 1, **tags: str) -> dict[str, Any]:
    if not tags:
        return {"kind": "MeshService", "name": name, "weight": weight}
    return {"kind": "MeshServiceSubset", "name": name, "tags": tags, "weight": weight}


def to_api(name: str, *rules: dict[str, Any]) -> AnyResource:
    return an_http_route(name, "api", *rules)


def a_tcp_route(service: str, *refs: dict[str, Any]) -> AnyResource:
    rules = [{"default": {"backendRefs": list(refs)}}]
    to = [{"targetRef": {"kind": "MeshService", "name": service}, "rules": rules}]
    return a_policy("MeshTCPRoute", "tcp", {"to": to})


def test_without_policies_everything_goes_to_the_service() -> None:
    (route,) = http_routes(plan())
    assert route.name == DEFAULT_ROUTE
    assert route.action == Forward((Weighted("api", 100),))
    assert the_outbound(plan(), "db").routing == TcpRouting((Weighted("db", 100),))


def test_a_split_goes_to_subsets_that_become_destinations() -> None:
    found = plan(to_api("r", a_rule("/a", a_ref("api", 3, version="v1"), a_ref("users"))))
    subset = destination("api", (("version", "v1"),))
    assert http_routes(found)[0].action == Forward((Weighted(subset, 3), Weighted("users", 1)))
    assert [each.name for each in found.destinations] == ["api", subset, "db", "users"]


def test_a_rule_without_backends_goes_to_the_service() -> None:
    action = http_routes(plan(to_api("r", a_rule())))[0].action
    assert action == Forward((Weighted("api", 100),))


def test_a_rule_on_everything_takes_the_place_of_the_default_route() -> None:
    routes = http_routes(plan(to_api("r", a_rule("/", a_ref("users")))))
    assert [each.action for each in routes] == [Forward((Weighted("users", 1),))]


def test_each_match_of_a_rule_is_a_route_of_its_own() -> None:
    rule = a_rule("/a")
    rule["matches"] += [{"path": {"type": "Exact", "value": "/b"}}]
    found = http_routes(plan(to_api("r", rule)))
    assert len({each.name for each in found}) == len(found) == 3
    assert [each.match.path.value for each in found if each.match.path] == ["/b", "/a", "/"]


def test_the_name_of_a_route_is_the_hash_that_kuma_gives_it() -> None:
    assert http_routes(plan(to_api("r", a_rule("/old"))))[0].name == (
        "3LnJNerkamwo9W/K/HclRwV1QR/iumgmPn5DRFphWAc="
    )


def test_a_redirect_stands_in_place_of_backends() -> None:
    redirect = {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "port": 8443}}
    found = plan(to_api("r", a_rule("/a", a_ref("users"), filters=[redirect])))
    assert http_routes(found)[0].action == Redirect(scheme="https", port=8443)
    assert "users" not in {each.name for each in found.destinations}


def test_mirrors_become_destinations() -> None:
    mirror = {
        "type": "RequestMirror",
        "requestMirror": {"backendRef": a_ref("users"), "percentage": "12.5"},
    }
    found = plan(to_api("r", a_rule("/a", filters=[mirror])))
    action = http_routes(found)[0].action
    assert isinstance(action, Forward)
    assert [(each.destination, each.percentage) for each in action.mirrors] == [("users", "12.5")]
    assert "users" in {each.name for each in found.destinations}


def test_a_mirror_that_is_not_there_is_told_and_left_out() -> None:
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": a_ref("nobody")}}
    found = plan(to_api("r", a_rule("/a", filters=[mirror])))
    action = http_routes(found)[0].action
    assert isinstance(action, Forward)
    assert action.mirrors == ()
    assert [(each.origin.name, each.path) for each in found.diagnostics] == [("r", "filters")]
    assert messages(found) == ['requestMirror: nothing serves "nobody"']


@pytest.mark.parametrize(
    ("ref", "problem"),
    [
        (a_ref("nobody"), 'nothing serves "nobody"'),
        (a_ref("db"), '"db" does not speak HTTP but tcp'),
        ({**a_ref("api"), "port": 80}, 'MeshService "api" with port 80 is not found'),
        ({"kind": "MeshExternalService", "name": "x"}, 'MeshExternalService "x" is not found'),
    ],
)
def test_a_backend_that_cannot_be_reached_gets_no_share(ref: dict[str, Any], problem: str) -> None:
    found = plan(to_api("r", a_rule("/a", ref, a_ref("users"))))
    assert http_routes(found)[0].action == Forward((Weighted("users", 1),))
    assert messages(found) == [problem]


def test_a_route_whose_backends_are_all_gone_answers_for_itself() -> None:
    assert http_routes(plan(to_api("r", a_rule("/a", a_ref("nobody")))))[0].action == Forward(())


def test_a_weight_of_zero_is_no_share() -> None:
    found = plan(to_api("r", a_rule("/a", a_ref("api", 0), a_ref("users", 2))))
    assert http_routes(found)[0].action == Forward((Weighted("users", 2),))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"path": ("Exact", "/a")}, {"path": ("PathPrefix", "/a/long/one")}),
        ({"path": ("PathPrefix", "/aa")}, {"path": ("PathPrefix", "/a")}),
        ({"path": ("PathPrefix", "/a")}, {"path": ("RegularExpression", "/a.*")}),
        ({"path": ("RegularExpression", "/a.*b")}, {"path": ("RegularExpression", "/a.*")}),
        ({"path": ("RegularExpression", "/.*")}, {"path": ("PathPrefix", "/")}),
        ({"path": ("RegularExpression", "/.*")}, {}),
        ({"method": "GET"}, {"headers": 3}),
        ({"headers": 2}, {"headers": 1, "query": 3}),
        ({"query": 2}, {"query": 1}),
        ({"headers": 1}, {"path": ("PathPrefix", "/")}),
        ({"path": ("PathPrefix", "/"), "headers": 2}, {"headers": 1}),
        ({"headers": 1}, {}),
    ],
)
def test_the_more_specific_match_is_tried_first(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    assert precedence(a_match(**first)) < precedence(a_match(**second))


def a_match(
    path: tuple[str, str] | None = None, method: str | None = None, headers: int = 0, query: int = 0
) -> Any:
    return as_http_match(
        Match.model_validate(
            {
                "path": path and {"type": path[0], "value": path[1]},
                "method": method,
                "headers": [{"name": f"h{i}", "value": "x"} for i in range(headers)],
                "queryParams": [
                    {"name": f"q{i}", "type": "Exact", "value": ""} for i in range(query)
                ],
            }
        )
    )


def test_no_path_and_the_root_are_equal() -> None:
    assert precedence(a_match()) == precedence(a_match(path=("PathPrefix", "/")))


def test_a_tcp_route_splits_connections() -> None:
    found = plan(a_tcp_route("db", a_ref("db", 1), a_ref("users", 2)))
    routing = the_outbound(found, "db").routing
    assert isinstance(routing, TcpRouting)
    assert routing.split == (Weighted("db", 1), Weighted("users", 2))


def test_a_tcp_route_applies_to_http_where_no_http_route_does() -> None:
    tcp = a_tcp_route("api", a_ref("users"))
    outbound = the_outbound(plan(tcp), "api")
    assert outbound.protocol is Protocol.TCP
    assert isinstance(outbound.routing, TcpRouting)
    assert isinstance(the_outbound(plan(tcp, to_api("r", a_rule())), "api").routing, HttpRouting)


def test_an_http_route_does_not_apply_to_tcp() -> None:
    routing = the_outbound(plan(an_http_route("r", "db", a_rule())), "db").routing
    assert routing == TcpRouting((Weighted("db", 100),))


def request_timeouts(found: ProxyPlan) -> dict[str, str]:
    return {
        route.match.path.value: str(conf.http.request_timeout)
        for route in http_routes(found)
        if (conf := route.conf.get(TimeoutConf)) and conf.http and route.match.path
    }


def test_a_timeout_on_a_route_reaches_that_route_alone() -> None:
    on_route = a_timeout("a", 3, top={"kind": "MeshHTTPRoute", "name": "r1"})
    found = plan(
        to_api("r1", a_rule("/one")), to_api("r2", a_rule("/two")), a_timeout("b", 9), on_route
    )
    assert request_timeouts(found) == {"/one": "0:00:03", "/two": "0:00:09", "/": "0:00:09"}


def test_a_timeout_to_a_route_reaches_that_route_alone() -> None:
    to = {"kind": "MeshHTTPRoute", "name": "r1"}
    default = {"http": {"requestTimeout": "3s"}}
    to_route = a_policy("MeshTimeout", "a", {"to": [{"targetRef": to, "default": default}]})
    found = plan(
        to_api("r1", a_rule("/one")), to_api("r2", a_rule("/two")), a_timeout("b", 9), to_route
    )
    assert request_timeouts(found) == {"/one": "0:00:03", "/two": "0:00:09", "/": "0:00:09"}


@pytest.mark.parametrize(("name", "expected"), [("r1", "0:00:03"), ("r2", "0:00:09")])
def test_a_route_of_several_policies_goes_by_the_name_of_the_strongest(
    name: str, expected: str
) -> None:
    to = {"kind": "MeshHTTPRoute", "name": name}
    default = {"http": {"requestTimeout": "3s"}}
    to_route = a_policy("MeshTimeout", "a", {"to": [{"targetRef": to, "default": default}]})
    merged = (to_api("r1", a_rule("/one")), to_api("r2", a_rule("/one")))
    assert request_timeouts(plan(*merged, a_timeout("b", 9), to_route))["/one"] == expected


def test_equal_matches_towards_two_services_are_two_routes() -> None:
    """Kuma 2.14.3 hides the timeout of the service behind that of the other's route."""
    on_users = a_timeout("a", 3, top={"kind": "MeshHTTPRoute", "name": "users"})
    found = plan(
        to_api("r1", a_rule("/one")),
        an_http_route("users", "users", a_rule("/one")),
        a_policy(
            "MeshTimeout",
            "b",
            {
                "to": [
                    {
                        "targetRef": {"kind": "MeshService", "name": "api"},
                        "default": {"http": {"requestTimeout": "9s"}},
                    }
                ]
            },
        ),
        on_users,
    )
    assert request_timeouts(found)["/one"] == "0:00:09"


def test_retries_ride_on_outbounds_and_routes() -> None:
    retry = {"to": [{"targetRef": {"kind": "Mesh"}, "default": {"http": {"numRetries": 2}}}]}
    found = plan(a_policy("MeshRetry", "retry", retry))
    expected = RetryConf.model_validate({"http": {"numRetries": 2}})
    assert the_outbound(found, "api").conf.get(RetryConf) == expected
    assert http_routes(found)[0].conf.get(RetryConf) == expected


def test_a_missing_route_is_told_and_the_rest_stands() -> None:
    found = plan(a_timeout("a", 3, top={"kind": "MeshHTTPRoute", "name": "gone"}))
    assert messages(found) == ["couldn't resolve MeshHTTPRoute targetRef with name 'gone'"]
    assert len(found.outbounds) == 2
