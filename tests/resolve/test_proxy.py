"""The plan of one proxy."""

import pytest

from kuma.plan.protocol import Protocol
from kuma.plan.proxy import Identity, Inbound, ProxyPlan
from kuma.plan.tls import InboundTls, TlsMode
from kuma.policies.meshcircuitbreaker.model import CircuitBreakerConf
from kuma.policies.meshtimeout.model import TimeoutConf
from kuma.policies.meshtrafficpermission.model import PermissionConf
from kuma.resolve.proxy import resolve_proxy
from kuma.resolve.redirection import Said
from tests.resolve.world import (
    a_permission,
    a_policy,
    a_view,
    messages,
    plan_of,
    virtual_outbounds,
)
from tests.support.builders import a_dataplane, a_mesh, an_inbound

TLS = InboundTls(
    TlsMode.STRICT,
    "identity_cert:secret:default",
    "mesh_ca:secret:default",
    ("spiffe://default/",),
)


def test_an_unknown_dataplane_has_an_empty_plan() -> None:
    assert resolve_proxy(a_view(), "gone") == ProxyPlan("default", "gone", (), (), (), None, None)


def test_an_inbound_has_the_addresses_of_its_dataplane() -> None:
    plan = plan_of("dp", a_dataplane("dp", address="10.0.0.1", service="web"), mtls=True)
    assert plan.inbounds == (
        Inbound(
            section="8080",
            address="10.0.0.1",
            port=8080,
            service_address="10.0.0.1",
            service_port=8081,
            protocol=Protocol.HTTP,
            service="web",
            tags=(("kuma.io/protocol", "http"), ("kuma.io/service", "web")),
            tls=TLS,
        ),
    )
    assert plan.identity == Identity(TLS.identity_secret, TLS.ca_secret, "ca-1")


def test_without_mutual_tls_there_is_no_identity_and_no_permission() -> None:
    plan = plan_of("dp", a_dataplane("dp"), a_permission("p", ({"kind": "Mesh"}, "Allow")))
    assert plan.identity is None
    assert plan.inbounds[0].tls is None
    assert plan.inbounds[0].conf.get(PermissionConf) is None


def test_a_permissive_mesh_says_so() -> None:
    (inbound,) = plan_of("dp", a_dataplane("dp"), a_mesh(permissive=True)).inbounds
    assert inbound.tls is not None
    assert inbound.tls.mode is TlsMode.PERMISSIVE


def test_each_inbound_has_its_own_policies() -> None:
    inbounds = [an_inbound("a", 8080, name="one"), an_inbound("b", 8081, name="two")]
    top = {"kind": "Dataplane", "sectionName": "two"}
    rules = [{"default": {"idleTimeout": "1s"}}]
    timeout = a_policy("MeshTimeout", "t", {"targetRef": top, "rules": rules})
    plan = plan_of("dp", a_dataplane("dp", inbounds=inbounds), timeout)
    found = {each.section: each.conf.get(TimeoutConf) for each in plan.inbounds}
    assert found == {"one": None, "two": TimeoutConf.model_validate({"idleTimeout": "1s"})}


def test_circuit_breakers_ride_on_destinations() -> None:
    limits = {"connectionLimits": {"maxConnections": 1}}
    to = [{"targetRef": {"kind": "MeshService", "name": "api"}, "default": limits}]
    plan = plan_of(
        "dp",
        a_dataplane("dp", service="web", outbounds={9001: "api", 9002: "db"}),
        a_policy("MeshCircuitBreaker", "cb", {"to": to}),
    )
    assert {each.name: each.conf.get(CircuitBreakerConf) for each in plan.destinations} == {
        "api": CircuitBreakerConf.model_validate(limits),
        "db": None,
    }


def test_outbounds_are_sorted_and_one_for_each_address() -> None:
    outbounds = [
        {"port": 9002, "tags": {"kuma.io/service": "b"}},
        {"port": 9001, "tags": {"kuma.io/service": "a"}},
        {"port": 9001, "address": "127.0.0.2", "tags": {"kuma.io/service": "a"}},
    ]
    plan = plan_of("dp", a_dataplane("dp", outbounds=outbounds))
    assert [(each.address, each.port) for each in plan.outbounds] == [
        ("127.0.0.1", 9001),
        ("127.0.0.1", 9002),
        ("127.0.0.2", 9001),
    ]
    assert [each.name for each in plan.destinations] == ["a", "b"]


def test_an_outbound_with_tags_leads_to_that_subset() -> None:
    outbounds = [{"port": 9001, "tags": {"kuma.io/service": "a", "version": "v1"}}]
    (destination,) = plan_of("dp", a_dataplane("dp", outbounds=outbounds)).destinations
    assert destination.tags == (("version", "v1"),)


def test_a_reference_to_a_resource_that_is_not_there_costs_that_outbound_alone() -> None:
    outbounds = [
        {"port": 9001, "backendRef": {"kind": "MeshService", "name": "a", "port": 80}},
        {"port": 9002, "tags": {"kuma.io/service": "b"}},
    ]
    plan = plan_of("dp", a_dataplane("dp", outbounds=outbounds))
    assert [each.service for each in plan.outbounds] == ["b"]
    assert messages(plan) == ['MeshService "a" with port 80 is not found']


@pytest.mark.parametrize(("features", "binds"), [((), False), (("feature-bind-outbounds",), True)])
def test_redirected_traffic_needs_no_bound_port(features: tuple[str, ...], binds: bool) -> None:
    redirected = {
        "transparentProxying": {"redirectPortInbound": 15006, "redirectPortOutbound": 15001}
    }
    view = a_view(a_dataplane("dp", networking=redirected), virtual_outbounds("a"))
    plan = resolve_proxy(view, "dp", Said(features))
    assert [each.bind for each in plan.inbounds] == [False]
    assert [each.bind for each in plan.outbounds] == [binds]


def test_an_inbound_that_stands_for_no_service_is_not_listened_on() -> None:
    assert plan_of("dp", a_dataplane("dp", port=49151)).inbounds == ()


@pytest.mark.parametrize("passthrough", [True, False])
def test_passthrough_is_the_mesh_s(passthrough: bool) -> None:
    assert (
        plan_of("dp", a_dataplane("dp"), a_mesh(passthrough=passthrough)).passthrough is passthrough
    )
