"""Under redirection a proxy has an outbound for every virtual address that its application reaches."""

from typing import Any

import pytest

from kuma.plan.proxy import ProxyPlan
from kuma.resolve.proxy import resolve_proxy, sender_of
from kuma.resolve.redirection import NOTHING_SAID, Redirection, Said
from kuma.resources.resource import AnyResource
from tests.resolve.world import (
    a_mesh_service,
    a_view,
    an_external_mesh_service,
    messages,
    virtual_outbounds,
)
from tests.support.builders import a_dataplane, a_mesh, an_external_service

PORTS = {"redirectPortInbound": 15006, "redirectPortOutbound": 15001}


def redirected(name: str = "web-1", *, spec: dict[str, Any] | None = None, **fields: Any) -> Any:
    """`fields` are those of transparentProxying."""
    networking = {"transparentProxying": {**PORTS, **fields}, **(spec or {})}
    return a_dataplane(name, service="web", address="10.0.0.1", networking=networking)


def world(*resources: AnyResource, mode: str = "Everywhere") -> list[AnyResource]:
    return [
        a_mesh(spec={"meshServices": {"mode": mode}}),
        virtual_outbounds("back_end", "web", external=[an_external_service()]),
        a_mesh_service("api", "241.0.0.0", 80, 81, labels={"team": "shop"}),
        a_mesh_service("db", "241.0.0.1", labels={"team": "shop"}),
        a_mesh_service("new"),
        an_external_mesh_service("payments", "242.0.0.0"),
        an_external_service(),
        *resources,
    ]


def plan(
    proxy: Any,
    *,
    mode: str = "Everywhere",
    said: Said = NOTHING_SAID,
) -> ProxyPlan:
    return resolve_proxy(a_view(*world(proxy, mode=mode)), proxy.name, said)


def places(found: ProxyPlan) -> dict[str, str]:
    return {f"{each.address}:{each.port}": each.service for each in found.outbounds}


BY_TAGS = {
    "240.0.0.0:80": "back_end",
    "240.0.0.1:80": "httpbin",
    "240.0.0.1:443": "httpbin",
    "240.0.0.2:80": "web",
    "240.0.0.3:80": "httpbin",
    "240.0.0.3:443": "httpbin",
}
RESOURCES = {
    "241.0.0.0:80": "default_api___msvc_80",
    "241.0.0.0:81": "default_api___msvc_81",
    "241.0.0.1:80": "default_db___msvc_80",
    "242.0.0.0:443": "default_payments___extsvc_443",
}


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("Disabled", BY_TAGS | RESOURCES),
        ("Everywhere", BY_TAGS | RESOURCES),
        ("ReachableBackends", BY_TAGS),
        ("Exclusive", RESOURCES),
    ],
)
def test_the_mode_of_the_mesh_says_which_services_there_are(
    mode: str, expected: dict[str, str]
) -> None:
    found = plan(redirected(), mode=mode)

    assert places(found) == expected
    assert not any(each.bind for each in found.outbounds)
    assert messages(found) == []


def test_reachable_services_are_those_by_tags_alone() -> None:
    assert places(plan(redirected(reachableServices=["back_end", "nobody"]))) == {
        "240.0.0.0:80": "back_end"
    }


BACKENDS = [
    {"kind": "MeshService", "name": "api", "port": 81},
    {"kind": "MeshExternalService", "name": "payments"},
]


def test_reachable_backends_are_those_resources_beside_the_services() -> None:
    chosen = {key: RESOURCES[key] for key in ("241.0.0.0:81", "242.0.0.0:443")}
    proxy = redirected(reachableBackends={"refs": BACKENDS})

    for mode in ("Everywhere", "ReachableBackends"):
        assert places(plan(proxy, mode=mode)) == BY_TAGS | chosen
    assert places(plan(proxy, mode="Exclusive")) == chosen


def test_both_lists_go_together() -> None:
    proxy = redirected(reachableServices=["web"], reachableBackends={"refs": BACKENDS[:1]})

    assert sorted(places(plan(proxy))) == ["240.0.0.2:80", "241.0.0.0:81"]


def test_labels_reach_every_resource_that_has_them() -> None:
    refs = [{"kind": "MeshService", "labels": {"team": "shop"}, "port": 80}]
    proxy = redirected(reachableBackends={"refs": refs})

    assert sorted(places(plan(proxy, mode="Exclusive"))) == ["241.0.0.0:80", "241.0.0.1:80"]


def test_an_empty_list_of_backends_reaches_none() -> None:
    assert places(plan(redirected(reachableBackends={"refs": []}), mode="Exclusive")) == {}


def test_a_backend_that_is_not_there_is_told() -> None:
    refs = [
        {"kind": "MeshService", "name": "api", "port": 82},
        {"kind": "MeshService", "name": "new"},
    ]
    found = plan(redirected(reachableBackends={"refs": refs}), mode="Exclusive")

    assert places(found) == {}
    [problem] = found.diagnostics
    assert problem.path == "networking.transparentProxying.reachableBackends.refs[0]"
    assert problem.message == 'MeshService "api" with port 82 is not found'


def test_an_external_service_at_an_address_is_called_by_it_at_its_port_alone() -> None:
    external = [an_external_service("a", service="a", address="192.0.2.7:8443")]
    view = a_view(redirected(), *external, virtual_outbounds(external=external))
    found = places(resolve_proxy(view, "web-1"))

    assert found == {"240.0.0.0:80": "a", "240.0.0.0:8443": "a", "192.0.2.7:8443": "a"}


def test_the_port_of_services_is_a_setting() -> None:
    view = a_view(redirected(), virtual_outbounds("a"), service_vip_port=8080)

    assert places(resolve_proxy(view, "web-1")) == {"240.0.0.0:8080": "a"}


def test_where_the_proxy_listens_for_its_workload_it_has_no_outbound() -> None:
    inbound = {"inbound": [{"port": 80, "address": "240.0.0.0", "servicePort": 8080}]}
    found = places(plan(redirected(spec=inbound), mode="ReachableBackends"))

    assert found == {place: to for place, to in BY_TAGS.items() if place != "240.0.0.0:80"}


def test_a_proxy_that_binds_has_bound_outbounds_and_passes_nothing() -> None:
    proxy = a_dataplane("web-1", service="web", outbounds={9001: "back_end"})
    found = plan(proxy, mode="Exclusive", said=Said(("feature-bind-outbounds",)))

    assert places(found) == RESOURCES
    assert all(each.bind for each in (*found.outbounds, *found.inbounds))
    assert (found.passed_in, found.passed_out) == ((), ())


def test_what_the_proxy_says_of_redirection_counts_before_its_dataplane() -> None:
    said = Said((), Redirection(inbound_port=16006, outbound_port=16001, has_ipv6=False))
    found = plan(redirected(), mode="ReachableBackends", said=said)

    assert places(found) == BY_TAGS
    assert [(each.version, each.port) for each in found.passed_in] == [(4, 16006)]
    assert [(each.version, each.port) for each in found.passed_out] == [(4, 16001)]


def test_no_port_is_no_redirection() -> None:
    proxy = redirected(redirectPortInbound=0, redirectPortOutbound=0)

    found = plan(proxy, mode="Exclusive")
    assert (found.outbounds, found.passed_out, found.inbounds[0].bind) == ((), (), True)


def test_alike_proxies_share_one_sender_and_others_do_not() -> None:
    first, second = redirected("web-1"), redirected("web-2", spec={"address": "10.0.0.2"})
    third = redirected("web-3", reachableServices=["web"])
    view = a_view(*world(first, second, third))

    one, two, other = (sender_of(view, name) for name in ("web-1", "web-2", "web-3"))
    assert one == two != other
    assert one is not None
    assert len(one.outbounds) == len(BY_TAGS | RESOURCES)
