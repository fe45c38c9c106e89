"""MeshMultiZoneServices as destinations: what is behind them, and who may answer for it."""

from datetime import timedelta
from typing import Any

import pytest

from kuma.plan import names
from kuma.plan.protocol import Protocol
from kuma.plan.tls import MutualTls
from kuma.policies.meshtimeout.model import TimeoutConf
from kuma.resolve.outbounds import endpoints_of
from kuma.resources.kinds.mesh_multi_zone_service import MESH_MULTI_ZONE_SERVICE
from kuma.resources.kinds.mesh_service import (
    MESH_SERVICE,
    MeshServiceStatus,
    ServiceTls,
    TlsStatus,
)
from kuma.resources.resource import AnyResource, Resource
from tests.resolve.world import a_policy, a_view, messages, plan_of, the_outbound
from tests.support.builders import a_dataplane, a_mesh, a_resource

CLIENT = a_dataplane(
    "client",
    labels={"kuma.io/zone": "east"},
    outbounds=[
        {"port": 9001, "backendRef": {"kind": "MeshMultiZoneService", "name": "all", "port": 80}}
    ],
)


def a_multi_zone_service(**port: Any) -> AnyResource:
    selector = {"meshService": {"matchLabels": {"app": "api"}}}
    ports = [{"port": 80, "appProtocol": "http", **port}]
    return a_resource(MESH_MULTI_ZONE_SERVICE, "all", {"selector": selector, "ports": ports})


def a_mesh_service(
    name: str, *, app: str = "api", port: int = 80, ready: bool = False
) -> AnyResource:
    """It has the dataplanes of the service `name` behind it."""
    spec = {
        "selector": {"dataplaneTags": {"kuma.io/service": name}},
        "ports": [{"port": port, "targetPort": 8080, "appProtocol": "http"}],
    }
    made = a_resource(MESH_SERVICE, name, spec, labels={"app": app})
    tls = ServiceTls(status=TlsStatus.READY if ready else None)
    return Resource(made.kind, made.meta, made.spec, MeshServiceStatus(tls=tls))


BLUE = a_dataplane("blue-1", service="blue", address="10.0.0.1")
GREEN = a_dataplane("green-1", service="green", address="10.0.0.2")


def addresses(*resources: AnyResource) -> list[str]:
    everything = (CLIENT, BLUE, GREEN, *resources)
    [destination] = plan_of("client", *everything).destinations
    return [each.address for each in endpoints_of(a_view(*everything), destination).endpoints]


def test_its_endpoints_are_those_of_every_mesh_service_with_the_labels() -> None:
    services = [a_mesh_service("blue"), a_mesh_service("green")]

    assert addresses(a_multi_zone_service(), *services) == ["10.0.0.1", "10.0.0.2"]


@pytest.mark.parametrize("other", [{"app": "other"}, {"port": 81}])
def test_one_with_other_labels_or_without_the_port_is_not_behind_it(other: dict[str, Any]) -> None:
    services = [a_mesh_service("blue"), a_mesh_service("green", **other)]

    assert addresses(a_multi_zone_service(), *services) == ["10.0.0.1"]


def test_an_endpoint_behind_two_mesh_services_counts_once() -> None:
    again = a_resource(
        MESH_SERVICE, "again", a_mesh_service("blue").spec.to_json(), labels={"app": "api"}
    )

    assert addresses(a_multi_zone_service(), a_mesh_service("blue"), again) == ["10.0.0.1"]


def test_nothing_behind_it_is_no_endpoint() -> None:
    plan = plan_of("client", CLIENT, a_multi_zone_service())

    assert messages(plan) == []
    assert addresses(a_multi_zone_service()) == []
    assert plan.destinations[0].tls is None


def test_its_name_means_it_in_every_zone() -> None:
    [outbound] = plan_of("client", CLIENT, a_multi_zone_service()).outbounds

    assert outbound.service == "default_all___mzsvc_80"


@pytest.mark.parametrize(
    ("declared", "expected"), [({}, Protocol.HTTP), ({"appProtocol": "grpc"}, Protocol.GRPC)]
)
def test_it_speaks_what_its_port_says(declared: dict[str, Any], expected: Protocol) -> None:
    services = [a_multi_zone_service(**declared), a_mesh_service("blue")]

    [destination] = plan_of("client", CLIENT, BLUE, *services).destinations

    assert destination.protocol is expected


def test_whoever_may_answer_for_one_behind_it_may_answer() -> None:
    services = [a_multi_zone_service(), a_mesh_service("blue"), a_mesh_service("green")]

    [destination] = plan_of("client", CLIENT, BLUE, GREEN, *services, mtls=True).destinations

    assert isinstance(destination.tls, MutualTls)
    assert destination.tls.sans == ("spiffe://default/blue", "spiffe://default/green")
    assert destination.tls.sni == names.resource_sni("all", "default", "mzsvc", 80)


@pytest.mark.parametrize("ready", [True, False])
def test_a_permissive_mesh_waits_for_all_behind_it(ready: bool) -> None:
    blue, green = a_mesh_service("blue", ready=True), a_mesh_service("green", ready=ready)
    everything = [CLIENT, BLUE, GREEN, a_multi_zone_service(), blue, green]

    [destination] = plan_of("client", *everything, a_mesh(permissive=True)).destinations

    assert (destination.tls is not None) is ready


def target(**fields: Any) -> dict[str, Any]:
    return {"kind": "MeshMultiZoneService", **fields}


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([({"kind": "Mesh"}, 1)], 1),
        ([(target(name="all"), 2), ({"kind": "Mesh"}, 1)], 2),
        ([(target(name="all", sectionName="http"), 3), (target(name="all"), 2)], 3),
        ([(target(name="all", sectionName="80"), 3), (target(name="all"), 2)], 2),
        ([(target(labels={"team": "a"}), 4), ({"kind": "Mesh"}, 1)], 4),
        ([(target(name="other"), 5), ({"kind": "Mesh"}, 1)], 1),
        ([({"kind": "MeshService", "name": "blue"}, 6), ({"kind": "Mesh"}, 1)], 1),
    ],
)
def test_policies_pick_it_or_one_of_its_ports(
    items: list[tuple[dict[str, Any], int]], expected: int
) -> None:
    to = [
        {"targetRef": each, "default": {"http": {"requestTimeout": f"{seconds}s"}}}
        for each, seconds in items
    ]
    zone = {"kuma.io/zone": "east", "kuma.io/origin": "zone"}
    policy = a_policy("MeshTimeout", "t", {"to": to}, labels=zone)
    service = a_multi_zone_service(name="http").with_labels({"team": "a"})

    plan = plan_of("client", CLIENT, BLUE, service, a_mesh_service("blue"), policy)

    conf = the_outbound(plan, "default_all___mzsvc_80").conf.get(TimeoutConf)
    assert conf is not None
    assert conf.http is not None
    assert conf.http.request_timeout == timedelta(seconds=expected)


def test_a_route_to_a_port_that_there_is_not_is_told() -> None:
    everything = [{"path": {"type": "PathPrefix", "value": "/"}}]
    rules = [{"matches": everything, "default": {"backendRefs": [target(name="all", port=81)]}}]
    to = [{"targetRef": target(name="all"), "rules": rules}]
    route = a_policy("MeshHTTPRoute", "r", {"to": to})

    plan = plan_of("client", CLIENT, a_multi_zone_service(), route)

    assert messages(plan) == ['MeshMultiZoneService "all" with port 81 is not found']
