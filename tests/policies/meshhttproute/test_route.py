"""Filters and matches in the plan's words."""

from typing import Any

from kuma.plan.route import (
    Forward,
    HeaderChange,
    HttpMatch,
    HttpRoute,
    HttpRouting,
    PathKind,
    PathMatch,
    Redirect,
    ReplaceFullPath,
    ReplacePrefix,
    ValueKind,
    ValueMatch,
)
from tests.resolve.world import an_http_route, plan_of, the_outbound
from tests.support.builders import a_dataplane


def the_route(*filters: dict[str, Any], **match: Any) -> HttpRoute:
    match = match or {"path": {"type": "PathPrefix", "value": "/old"}}
    route = an_http_route("r", "api", {"matches": [match], "default": {"filters": list(filters)}})
    web = a_dataplane("web-1", service="web", outbounds={9001: "api"})
    plan = plan_of("web-1", web, a_dataplane("api-1", service="api"), route)
    routing = the_outbound(plan, "api").routing
    assert isinstance(routing, HttpRouting)
    return routing.routes[0]


def test_a_match_keeps_all_its_parts() -> None:
    found = the_route(
        path={"type": "RegularExpression", "value": "/a.*"},
        method="GET",
        headers=[
            {"name": "b", "value": "1"},
            {"name": "a", "type": "Present"},
            {"name": "b", "value": "2"},
        ],
        queryParams=[{"name": "q", "type": "Exact", "value": "x"}],
    )
    assert found.match == HttpMatch(
        PathMatch(PathKind.REGEX, "/a.*"),
        "GET",
        (ValueMatch("a", ValueKind.PRESENT), ValueMatch("b", ValueKind.EXACT, "1")),
        (ValueMatch("q", ValueKind.EXACT, "x"),),
    )


def test_header_filters_add_up() -> None:
    found = the_route(
        {
            "type": "RequestHeaderModifier",
            "requestHeaderModifier": {"set": [{"name": "a", "value": "1"}]},
        },
        {
            "type": "RequestHeaderModifier",
            "requestHeaderModifier": {"add": [{"name": "b", "value": "2"}], "remove": ["c"]},
            "responseHeaderModifier": {"remove": ["ignored"]},
        },
        {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"remove": ["d"]}},
    )
    assert found.request_headers == HeaderChange((("a", "1"),), (("b", "2"),), ("c",))
    assert found.response_headers == HeaderChange(remove=("d",))


def test_rewrites_of_path_and_host() -> None:
    path = {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/new"}
    action = the_route(
        {"type": "URLRewrite", "urlRewrite": {"path": path, "hostname": "a.b"}}
    ).action
    assert isinstance(action, Forward)
    assert (action.path, action.host) == (ReplacePrefix("/new"), "a.b")


def test_a_rewrite_without_its_value_does_nothing() -> None:
    action = the_route(
        {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplaceFullPath"}}}
    ).action
    assert isinstance(action, Forward)
    assert action.path is None


def test_a_redirect_keeps_all_its_parts() -> None:
    redirect = {
        "scheme": "https",
        "hostname": "a.b",
        "port": 8443,
        "path": {"type": "ReplaceFullPath", "replaceFullPath": "/x"},
        "statusCode": 308,
    }
    found = the_route({"type": "RequestRedirect", "requestRedirect": redirect})
    assert found.action == Redirect("https", "a.b", 8443, ReplaceFullPath("/x"), 308)
