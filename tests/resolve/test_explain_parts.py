"""What policies say of the parts of a proxy, by KRI. Compared with Kuma 2.14.3, but for the KRI of a
route of TCP."""

from dataclasses import replace
from typing import Any

import pytest

from kuma.resolve.explain_parts import (
    inbound_policies,
    layout,
    outbound_policies,
    outbound_routes,
    proxy_policies,
)
from kuma.resolve.plain_view import PlainMeshView
from kuma.resources.kinds.mesh_service import MESH_SERVICE
from kuma.resources.kri import parse_kri
from tests.resolve.world import a_policy, a_view
from tests.support.builders import a_dataplane, a_mesh, a_resource, an_inbound

ZONE = {"kuma.io/zone": "east"}
BACKEND = "kri_msvc_default_east__backend"
ROUTE = "kri_mhttpr_default_east__route_"
PREFIX = {"path": {"type": "PathPrefix", "value": "/v1"}}
FILTERS = [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x-a"]}}]


def a_ref(port: int) -> dict[str, Any]:
    return {"kind": "MeshService", "name": "backend", "port": port}


DATAPLANE = a_dataplane(
    "web",
    inbounds=[an_inbound("web", 8080, name="main"), an_inbound("db", 5000, protocol="tcp")],
    outbounds=[
        {"port": 9001, "backendRef": a_ref(80)},
        {"port": 9002, "backendRef": a_ref(5432)},
        {"port": 9003, "backendRef": a_ref(80)},
    ],
    labels=ZONE,
)
SERVICE = a_resource(
    MESH_SERVICE,
    "backend",
    {
        "selector": {"dataplaneTags": {"kuma.io/service": "backend"}},
        "ports": [
            {"name": "http", "port": 80, "targetPort": 8080, "appProtocol": "http"},
            {"port": 5432, "targetPort": 5432},
        ],
    },
    labels=ZONE,
)


def a_timeout(name: str, seconds: int, target: dict[str, Any]) -> Any:
    to = [{"targetRef": target, "default": {"http": {"requestTimeout": f"{seconds}s"}}}]
    return a_policy("MeshTimeout", name, {"to": to}, labels=ZONE)


def a_route(kind: str, name: str, rule: dict[str, Any], **target: Any) -> Any:
    ref = {"kind": "MeshService", "name": "backend", **target}
    return a_policy(kind, name, {"to": [{"targetRef": ref, "rules": [rule]}]}, labels=ZONE)


def the_view(*policies: Any) -> PlainMeshView:
    return a_view(
        DATAPLANE, SERVICE, *policies, a_mesh(spec={"meshServices": {"mode": "Exclusive"}})
    )


def test_the_layout_names_each_part_as_envoy_does() -> None:
    found = layout(the_view(), "web")
    assert found == {
        "kri": "kri_dp_default_east__web_",
        "labels": ZONE,
        "inbounds": [
            {
                "kri": "kri_dp_default_east__web_main",
                "port": 8080,
                "protocol": "http",
                "proxyResourceName": "self_inbound_dp_main",
            },
            {
                "kri": "kri_dp_default_east__web_5000",
                "port": 5000,
                "protocol": "tcp",
                "proxyResourceName": "self_inbound_dp_5000",
            },
        ],
        "listeners": [],
        "outbounds": [
            {
                "kri": f"{BACKEND}_5432",
                "port": 5432,
                "protocol": "tcp",
                "proxyResourceName": f"{BACKEND}_5432",
            },
            {
                "kri": f"{BACKEND}_http",
                "port": 80,
                "protocol": "http",
                "proxyResourceName": f"{BACKEND}_http",
            },
        ],
    }


def test_a_redirected_proxy_has_what_it_reaches_as_outbounds() -> None:
    redirection = {"redirectPortInbound": 15006, "redirectPortOutbound": 15001}
    networking = {"transparentProxying": redirection}
    plain = a_dataplane("web", networking=networking, labels=ZONE)
    vip = replace(
        SERVICE, status=SERVICE.kind.status.model_validate({"vips": [{"ip": "241.0.0.1"}]})
    )
    view = a_view(plain, vip, a_mesh(spec={"meshServices": {"mode": "Exclusive"}}))
    assert [each["kri"] for each in layout(view, "web")["outbounds"]] == [
        f"{BACKEND}_5432",
        f"{BACKEND}_http",
    ]


def test_policies_on_the_proxy_are_merged_with_their_origins() -> None:
    backend = {"type": "Datadog", "datadog": {"url": "http://10.0.0.1:8126"}}
    whole = a_policy("MeshTrace", "a", {"default": {"backends": [backend]}}, labels=ZONE)
    sampled = a_policy("MeshTrace", "b", {"default": {"sampling": {"overall": 5}}}, labels=ZONE)
    assert proxy_policies(the_view(whole, sampled), "web") == {
        "policies": [
            {
                "conf": {
                    "backends": [
                        {**backend, "datadog": {**backend["datadog"], "splitService": False}}
                    ],
                    "sampling": {"overall": 5},
                },
                "kind": "MeshTrace",
                "origins": [
                    {"kri": "kri_mtr_default_east__b_"},
                    {"kri": "kri_mtr_default_east__a_"},
                ],
            }
        ]
    }


def test_an_inbound_has_its_rules_one_by_one() -> None:
    rules = [{"default": {"idleTimeout": "1s"}}, {"default": {"connectionTimeout": "2s"}}]
    top = {"kind": "Dataplane", "name": "web", "sectionName": "main"}
    policy = a_policy("MeshTimeout", "t", {"targetRef": top, "rules": rules}, labels=ZONE)
    view, kri = the_view(policy), "kri_mt_default_east__t_"
    assert inbound_policies(view, "web", "main") == {
        "policies": [
            {
                "kind": "MeshTimeout",
                "origins": [{"kri": kri}],
                "rules": [
                    {"conf": {"idleTimeout": "1s"}, "kri": kri},
                    {"conf": {"connectionTimeout": "2s"}, "kri": kri},
                ],
            }
        ]
    }
    assert inbound_policies(view, "web", "5000") == {"policies": []}
    assert inbound_policies(view, "web", "gone") is None


TIMEOUTS = (
    a_timeout("on-mesh", 1, {"kind": "Mesh"}),
    a_timeout("on-service", 2, {"kind": "MeshService", "name": "backend"}),
    a_timeout("on-port", 3, {"kind": "MeshService", "name": "backend", "sectionName": "http"}),
    a_timeout("on-route", 4, {"kind": "MeshHTTPRoute", "name": "route"}),
    a_route("MeshHTTPRoute", "route", {"matches": [PREFIX], "default": {"filters": FILTERS}}),
)


@pytest.mark.parametrize(
    ("outbound", "route", "seconds", "origins"),
    [
        (f"{BACKEND}_http", None, 3, ("on-mesh", "on-service", "on-port")),
        (f"{BACKEND}_5432", None, 2, ("on-mesh", "on-service")),
        (f"{BACKEND}_", None, 2, ("on-mesh", "on-service")),
        ("kri_extsvc_default_east__other_80", None, 1, ("on-mesh",)),
        (f"{BACKEND}_http", ROUTE, 4, ("on-mesh", "on-route")),
        (f"{BACKEND}_http", f"{ROUTE}rule_0", 4, ("on-mesh", "on-route")),
        (
            f"{BACKEND}_http",
            "kri_mhttpr_default_east__none_",
            3,
            ("on-mesh", "on-service", "on-port"),
        ),
    ],
)
def test_the_most_special_rule_holds_for_an_outbound(
    outbound: str, route: str | None, seconds: int, origins: tuple[str, ...]
) -> None:
    by_route = None if route is None else parse_kri(route)
    found = outbound_policies(the_view(*TIMEOUTS), "web", parse_kri(outbound), by_route)
    assert found["policies"][-1] == {
        "conf": [{"http": {"requestTimeout": f"{seconds}s"}}],
        "kind": "MeshTimeout",
        "origins": [{"kri": f"kri_mt_default_east__{name}_"} for name in origins],
    }


def test_what_makes_routes_has_no_part_in_what_holds_for_a_route() -> None:
    found = outbound_policies(
        the_view(*TIMEOUTS), "web", parse_kri(f"{BACKEND}_http"), parse_kri(ROUTE)
    )
    assert [each["kind"] for each in found["policies"]] == ["MeshTimeout"]


def test_each_route_says_which_policy_it_is_of() -> None:
    other = {"path": {"type": "Exact", "value": "/v2"}}
    view = the_view(
        a_route("MeshHTTPRoute", "a", {"matches": [PREFIX], "default": {"filters": FILTERS}}),
        a_route("MeshHTTPRoute", "b", {"matches": [other], "default": {}}),
        a_route(
            "MeshTCPRoute", "c", {"default": {"backendRefs": [a_ref(5432)]}}, sectionName="5432"
        ),
    )
    http = {
        "kind": "MeshHTTPRoute",
        "origins": [
            {"kri": "kri_mhttpr_default_east__b_"},
            {"kri": "kri_mhttpr_default_east__a_"},
        ],
        "rules": [
            {
                "conf": {"filters": FILTERS},
                "kri": "kri_mhttpr_default_east__a_",
                "matches": [PREFIX],
            },
            {"conf": {}, "kri": "kri_mhttpr_default_east__b_", "matches": [other]},
        ],
    }
    tcp = {
        "kind": "MeshTCPRoute",
        "origins": [{"kri": "kri_mtcpr_default_east__c_"}],
        "rules": [
            {
                "conf": {"backendRefs": [{**a_ref(5432), "weight": 1}]},
                "kri": "kri_mtcpr_default_east__c_",
                "matches": [],
            }
        ],
    }
    assert outbound_routes(view, "web", parse_kri(f"{BACKEND}_http")) == {"routes": [http]}
    assert outbound_routes(view, "web", parse_kri(f"{BACKEND}_5432")) == {"routes": [http, tcp]}


def test_the_routes_of_two_policies_with_the_same_matches_are_those_of_the_stronger() -> None:
    rule = {"matches": [PREFIX], "default": {"filters": FILTERS}}
    view = the_view(a_route("MeshHTTPRoute", "a", rule), a_route("MeshHTTPRoute", "b", rule))
    [found] = outbound_routes(view, "web", parse_kri(f"{BACKEND}_http"))["routes"]
    assert [each["kri"] for each in found["rules"]] == ["kri_mhttpr_default_east__a_"]
