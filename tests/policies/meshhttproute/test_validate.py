"""Fields and messages are those of Kuma 2.14.3, given the same specs."""

from typing import Any

import pytest

from kuma.policies.meshhttproute import KIND
from tests.policies.verdict import verdict

_PREFIX_ONLY = "can only appear if all matches match a path prefix"
_ROOT = {"path": {"type": "PathPrefix", "value": "/"}}


def a_spec(*matches: dict[str, Any], **default: Any) -> dict[str, Any]:
    rules = [{"matches": list(matches) or [_ROOT], "default": default}]
    return {"to": [{"targetRef": {"kind": "MeshService", "name": "a"}, "rules": rules}]}


def inside(path: str, found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(f"spec.to[0].rules[0].{path}{field}", message) for field, message in found]


@pytest.mark.parametrize(
    "spec",
    [
        {},
        a_spec({}),
        a_spec({"path": {"type": "RegularExpression", "value": "x.*"}}),
        a_spec(backendRefs=[{"kind": "MeshService", "name": "kuma.io/unresolved-backend"}]),
        a_spec(filters=[{"type": "RequestRedirect", "requestRedirect": {}}]),
    ],
)
def test_accepts(spec: dict[str, Any]) -> None:
    assert verdict(KIND, spec) == []


def test_refuses_matches() -> None:
    spec = a_spec(
        {"path": {"type": "Exact", "value": "a"}},
        {"path": {"type": "PathPrefix", "value": "/a/"}},
        {"headers": [{"name": "a", "type": "Present", "value": "x"}]},
        {
            "queryParams": [
                {"name": "q", "type": "Exact", "value": "x"},
                {"name": "q", "type": "Exact", "value": "y"},
            ]
        },
    )
    assert verdict(KIND, spec) == inside(
        "matches",
        [
            ("[0].path.value", "must be an absolute path"),
            (
                "[1].path.value",
                (
                    "does not need a trailing slash because only a `/`-separated prefix or an entire "
                    "path is matched"
                ),
            ),
            ("[2].headers[0].value", "must not be defined"),
            ("[3].queryParams[1].name", "multiple entries for name q"),
        ],
    )


@pytest.mark.parametrize(
    ("type_", "field"),
    [
        ("RequestHeaderModifier", "requestHeaderModifier"),
        ("ResponseHeaderModifier", "responseHeaderModifier"),
        ("RequestRedirect", "requestRedirect"),
        ("RequestMirror", "requestMirror"),
        ("URLRewrite", "urlRewrite"),
    ],
)
def test_a_filter_needs_what_its_type_names(type_: str, field: str) -> None:
    found = verdict(KIND, a_spec(filters=[{"type": type_}]))
    assert found == inside("default.filters[0].", [(field, "must be defined")])


def test_refuses_filters() -> None:
    replace = {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/x"}
    spec = a_spec(
        {"path": {"type": "Exact", "value": "/a"}},
        filters=[
            {"type": "RequestHeaderModifier", "requestHeaderModifier": {}},
            {
                "type": "RequestHeaderModifier",
                "requestHeaderModifier": {"set": [{"name": "a", "value": "b"}], "remove": ["a"]},
            },
            {
                "type": "URLRewrite",
                "urlRewrite": {
                    "hostname": "1.2.3.4",
                    "hostToBackendHostname": True,
                    "path": replace,
                },
            },
            {
                "type": "RequestMirror",
                "requestMirror": {"backendRef": {"kind": "MeshExternalService", "name": "a"}},
            },
            {"type": "RequestRedirect", "requestRedirect": {"path": replace}},
        ],
    )
    assert verdict(KIND, spec) == inside(
        "default.filters",
        [
            ("[0].requestHeaderModifier", "must have at least one defined: set, add, remove"),
            ("[1].requestHeaderModifier.remove[0].name", "duplicate header name"),
            ("[2].urlRewrite.path.replacePrefixMatch", _PREFIX_ONLY),
            ("[2].urlRewrite.hostname", "cannot be an IP address"),
            ("[2].urlRewrite.hostToBackendHostname", "can only be set with MeshGateway"),
            ("[2].urlRewrite.hostToBackendHostname", "cannot be set together with hostname"),
            (
                "[3].requestMirror.backendRef.kind",
                "value 'MeshExternalService' is not supported",
            ),
            ("[4].requestRedirect.path.replacePrefixMatch", _PREFIX_ONLY),
        ],
    )


def test_hostnames_are_for_gateways() -> None:
    spec = a_spec()
    spec["to"][0]["hostnames"] = ["example.com"]
    assert verdict(KIND, spec) == [("spec.to[0].hostnames", "must not be defined")]


def test_on_a_gateway_a_rule_leads_somewhere() -> None:
    gateway = {"kind": "MeshGateway", "name": "edge"}
    spec = {**a_spec(), "targetRef": gateway}
    spec["to"][0]["targetRef"] = {"kind": "Mesh"}
    assert verdict(KIND, spec) == inside("default.", [("backendRefs", "must not be empty")])


@pytest.mark.parametrize(
    ("match", "field"),
    [
        ({"headers": [{"name": "A"}]}, "headers[0].name"),
        ({"queryParams": [{"name": "", "type": "Exact", "value": ""}]}, "queryParams[0].name"),
        ({"method": "get"}, "method"),
        ({"path": {"type": "Exact", "value": ""}}, "path.value"),
    ],
)
def test_names_the_field_that_does_not_fit_the_schema(match: dict[str, Any], field: str) -> None:
    found = verdict(KIND, a_spec(match))
    assert [where for where, _ in found] == [f"spec.to[0].rules[0].matches[0].{field}"]


def test_a_rule_has_matches() -> None:
    spec = a_spec()
    spec["to"][0]["rules"][0]["matches"] = []
    assert [where for where, _ in verdict(KIND, spec)] == ["spec.to[0].rules[0].matches"]


def test_refuses_expressions_that_envoy_refuses() -> None:
    spec = a_spec(
        {"path": {"type": "RegularExpression", "value": "(?=/a)"}},
        {"headers": [{"name": "x", "type": "RegularExpression", "value": "["}]},
        {"headers": [{"name": "x", "type": "Prefix"}, {"name": "y", "type": "Present"}]},
        {"queryParams": [{"name": "q", "type": "RegularExpression", "value": "*"}]},
        {"queryParams": [{"name": "q" * 1025, "type": "Exact", "value": ""}]},
    )
    no_regex = "must be a regular expression: "
    assert verdict(KIND, spec) == inside(
        "matches",
        [
            ("[0].path.value", f"{no_regex}invalid perl operator: (?="),
            ("[1].headers[0].value", f"{no_regex}missing ]: ["),
            ("[2].headers[0].value", "must not be empty"),
            ("[3].queryParams[0].value", f"{no_regex}no argument for repetition operator: *"),
            ("[4].queryParams[0].name", "must be at most 1024 bytes"),
        ],
    )


def test_refuses_headers_and_paths_that_envoy_refuses() -> None:
    spec = a_spec(
        filters=[
            {
                "type": "RequestHeaderModifier",
                "requestHeaderModifier": {
                    "set": [{"name": "host", "value": "a"}],
                    "add": [{"name": "x", "value": "a\r\nb"}],
                    "remove": ["Host", ":path", ""],
                },
            },
            {
                "type": "URLRewrite",
                "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/\0"}},
            },
        ]
    )
    no_breaks = "must not contain line breaks or null characters"
    modifier = "[0].requestHeaderModifier"
    assert verdict(KIND, spec) == inside(
        "default.filters",
        [
            (f"{modifier}.set[0].name", "the header host cannot be changed"),
            (f"{modifier}.remove[0].name", "the header host cannot be changed"),
            (f"{modifier}.remove[1].name", "must be the name of a header"),
            (f"{modifier}.remove[2].name", "must be the name of a header"),
            (f"{modifier}.add[0].value", no_breaks),
            ("[1].urlRewrite.path.replacePrefixMatch", no_breaks),
        ],
    )


def test_refuses_weights_that_envoy_cannot_add_up() -> None:
    refs = [{"kind": "MeshService", "name": name, "weight": 2**31} for name in "ab"]
    message = f"the sum of all weights must be at most {2**32 - 1}"
    assert verdict(KIND, a_spec(backendRefs=refs)) == inside("default.backendRefs", [("", message)])


@pytest.mark.parametrize(
    ("rewrite", "expected"),
    [
        ({"hostname": "1.2.3.4"}, [(".hostname", "cannot be an IP address")]),
        ({"hostname": "a.example"}, []),
        (
            {"hostname": "a", "hostToBackendHostname": True},
            [
                (".hostToBackendHostname", "can only be set with MeshGateway"),
                (".hostToBackendHostname", "cannot be set together with hostname"),
            ],
        ),
    ],
)
def test_hosts_of_rewrites(rewrite: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    spec = a_spec(filters=[{"type": "URLRewrite", "urlRewrite": rewrite}])
    assert verdict(KIND, spec) == inside("default.filters[0].urlRewrite", expected)


def test_hosts_of_redirects_are_no_addresses() -> None:
    redirect = {"type": "RequestRedirect", "requestRedirect": {"hostname": "1.2.3.4"}}
    assert verdict(KIND, a_spec(filters=[redirect])) == inside(
        "default.filters[0].requestRedirect", [(".hostname", "cannot be an IP address")]
    )
