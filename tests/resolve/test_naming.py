"""Who gets unified names, and that names are all that differs. The names themselves: the golden case
`unified-names`, compared with Kuma 2.14.3."""

from typing import Any

import pytest

from kuma.plan.proxy import ProxyPlan
from kuma.plan.route import Forward, HttpRouting, TcpRouting
from kuma.plan.tls import MutualTls
from kuma.resolve.naming import UNIFIED_NAMES
from kuma.resolve.proxy import resolve_proxy
from kuma.resolve.redirection import Said
from kuma.resources.resource import AnyResource
from tests.resolve.test_mesh_services import a_mesh_service
from tests.resolve.world import a_view, an_http_route
from tests.support.builders import a_dataplane, a_mesh, an_inbound

API = {"kind": "MeshService", "name": "api", "port": 80}
KRI = "kri_msvc_default___api_http"


def a_client(*ports: int, **fields: Any) -> AnyResource:
    return a_dataplane(
        "client", outbounds=[{"port": p, "backendRef": API} for p in ports], **fields
    )


def plan_of(*resources: AnyResource, mode: str = "Exclusive", unified: bool = True) -> ProxyPlan:
    mesh = a_mesh(mtls=True, spec={"meshServices": {"mode": mode}})
    said = Said((UNIFIED_NAMES,) if unified else ())
    return resolve_proxy(a_view(mesh, a_mesh_service(), *resources), "client", said)


def names_of(plan: ProxyPlan) -> list[str]:
    parts = [each.listener_name for each in (*plan.inbounds, *plan.outbounds)]
    return [*parts, *(each.name for each in plan.destinations)]


UNIFIED = ["self_inbound_dp_8080", KRI, KRI]
LEGACY = ["inbound:127.0.0.1:8080", "outbound:127.0.0.1:9001", "default_api___msvc_80"]


@pytest.mark.parametrize(
    ("mode", "asks", "expected"),
    [
        ("Exclusive", True, UNIFIED),
        ("Exclusive", False, LEGACY),
        ("Everywhere", True, LEGACY),
        ("Disabled", True, LEGACY),
    ],
)
def test_who_asks_gets_unified_names_where_all_destinations_are_resources(
    mode: str, asks: bool, expected: list[str]
) -> None:
    assert names_of(plan_of(a_client(9001), mode=mode, unified=asks)) == expected


def test_what_refers_to_a_part_is_renamed_with_it() -> None:
    plan = plan_of(a_client(9001))
    [destination] = plan.destinations
    [outbound] = plan.outbounds
    [inbound] = plan.inbounds
    assert isinstance(outbound.routing, HttpRouting)
    [route] = outbound.routing.routes
    assert isinstance(route.action, Forward)
    assert [each.destination for each in route.action.split] == [destination.name]
    assert outbound.routing.name == KRI
    assert plan.identity is not None
    assert inbound.tls is not None
    assert isinstance(destination.tls, MutualTls)
    assert {
        (each.identity_secret, each.ca_secret)
        for each in (plan.identity, inbound.tls, destination.tls)
    } == {("system_mtls_identity_default", "system_mtls_ca_default")}


def test_secrets_are_renamed_also_for_a_proxy_that_calls_nobody() -> None:
    plan = plan_of(a_dataplane("client", outbounds={9001: "by-tags"}))
    [destination] = plan.destinations
    assert plan.identity is not None
    assert plan.identity.ca_secret == "system_mtls_ca_default"
    assert isinstance(destination.tls, MutualTls)
    assert destination.tls.ca_secret == "system_mtls_ca_default"


def test_a_route_over_tcp_leads_to_the_renamed_destination() -> None:
    tcp = {"name": "http", "port": 80, "targetPort": 8080, "appProtocol": "tcp"}
    mesh = a_mesh(spec={"meshServices": {"mode": "Exclusive"}})
    view = a_view(mesh, a_mesh_service(ports=[tcp]), a_client(9001))
    [outbound] = resolve_proxy(view, "client", Said((UNIFIED_NAMES,))).outbounds
    assert isinstance(outbound.routing, TcpRouting)
    assert [each.destination for each in outbound.routing.split] == [KRI]


def test_of_two_outbounds_to_one_port_the_first_has_the_name() -> None:
    plan = plan_of(a_client(9002, 9001))
    assert [each.listener_name for each in plan.outbounds] == [KRI, "outbound:127.0.0.1:9002"]


def test_of_two_inbounds_with_one_name_neither_has_it() -> None:
    inbounds = [an_inbound("a", 80, name="8080"), an_inbound("b", 8080)]
    plan = plan_of(a_client(inbounds=inbounds))
    assert [each.listener_name for each in plan.inbounds] == [
        "inbound:127.0.0.1:80",
        "inbound:127.0.0.1:8080",
    ]


@pytest.mark.parametrize(("unified", "section"), [(True, "rule_0"), (False, "")])
def test_a_route_is_called_by_its_policy(unified: bool, section: str) -> None:
    match = {"path": {"type": "PathPrefix", "value": "/v1"}}
    route = an_http_route("r", "api", {"matches": [match], "default": {}})
    [outbound] = plan_of(a_client(9001), route, unified=unified).outbounds
    assert isinstance(outbound.routing, HttpRouting)
    assert outbound.routing.name == KRI
    assert outbound.routing.routes[0].name == f"kri_mhttpr_default___r_{section}"
