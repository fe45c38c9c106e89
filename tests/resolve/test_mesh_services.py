"""MeshServices as destinations: what a reference means, and what policies say of it."""

from collections.abc import Mapping
from typing import Any

import pytest

from kuma.plan import names
from kuma.plan.proxy import Destination
from kuma.plan.tls import MutualTls
from kuma.policies.catalogue import REGISTRY
from kuma.policies.meshtimeout.model import TimeoutConf
from kuma.resolve.outbounds import endpoints_of
from kuma.resolve.resource_rules import resource_rules
from kuma.resources.kinds.mesh_service import MESH_SERVICE, MeshServiceStatus, ServiceTls, TlsStatus
from kuma.resources.resource import AnyResource
from tests.resolve.world import a_policy, a_view, messages, plan_of, the_outbound
from tests.support.builders import a_dataplane, a_mesh, a_resource, an_inbound

HTTP = {"name": "http", "port": 80, "targetPort": 8080, "appProtocol": "http"}


def a_mesh_service(name: str = "api", **fields: Any) -> AnyResource:
    spec = {
        "selector": fields.pop("selector", {"dataplaneTags": {"kuma.io/service": "api"}}),
        "ports": fields.pop("ports", [HTTP]),
    }
    return a_resource(MESH_SERVICE, name, spec, **fields)


def a_client(**ref: Any) -> AnyResource:
    backend = {"kind": "MeshService", "name": "api", "port": 80, **ref}
    if "labels" in ref:
        del backend["name"]
    return a_dataplane("client", outbounds=[{"port": 9001, "backendRef": backend}])


def a_timeout(name: str, *items: tuple[Mapping[str, Any], int]) -> AnyResource:
    to = [
        {"targetRef": target, "default": {"http": {"requestTimeout": f"{seconds}s"}}}
        for target, seconds in items
    ]
    return a_policy("MeshTimeout", name, {"to": to})


def target(**fields: Any) -> dict[str, Any]:
    return {"kind": "MeshService", **fields}


def the_destination(*resources: AnyResource, **options: Any) -> Destination:
    [found] = plan_of("client", *resources, **options).destinations
    return found


def addresses(*resources: AnyResource) -> list[tuple[str, int]]:
    view = a_view(*resources)
    found = endpoints_of(view, the_destination(*resources)).endpoints
    return [(each.address, each.port) for each in found]


def test_a_port_is_found_by_its_number() -> None:
    plan = plan_of("client", a_client(), a_mesh_service())

    assert [each.service for each in plan.outbounds] == ["default_api___msvc_80"]
    assert messages(plan) == []


def test_names_count_within_a_zone() -> None:
    elsewhere = a_mesh_service(labels={"kuma.io/zone": "east"})

    plan = plan_of("client", a_client(), elsewhere)

    assert messages(plan) == ['MeshService "api" with port 80 is not found']


def test_labels_find_the_oldest_that_has_them() -> None:
    older, younger = (
        a_mesh_service(name, labels={"team": "a"}, created=created)
        for name, created in (
            ("z", a_mesh().meta.creation_time.replace(year=2020)),
            ("a", a_mesh().meta.creation_time.replace(year=2021)),
        )
    )

    plan = plan_of("client", a_client(labels={"team": "a"}), younger, older)

    assert [each.service for each in plan.outbounds] == ["default_z___msvc_80"]


def test_a_display_name_is_the_name() -> None:
    copied = a_mesh_service("api-x5z", labels={"kuma.io/display-name": "api"})

    assert the_destination(a_client(), copied).name == "default_api___msvc_80"


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({"dataplaneTags": {"kuma.io/service": "api"}}, ["10.0.0.1"]),
        ({"dataplaneTags": {"version": "v2"}}, ["10.0.0.2"]),
        ({"dataplaneTags": {"kuma.io/service": "api", "version": "v2"}}, []),
        ({"dataplaneTags": {}}, []),
        ({"dataplaneRef": {"name": "two"}}, ["10.0.0.2"]),
        ({"dataplaneRef": {"name": "three"}}, []),
        ({"dataplaneLabels": {"matchLabels": {"team": "a"}}}, ["10.0.0.1"]),
        ({"dataplaneLabels": {}}, ["10.0.0.1", "10.0.0.2"]),
        ({}, []),
    ],
)
def test_a_selector_selects_dataplanes(selector: Mapping[str, Any], expected: list[str]) -> None:
    one = a_dataplane("one", service="api", address="10.0.0.1", labels={"team": "a"})
    two = a_dataplane("two", service="other", address="10.0.0.2", tags={"version": "v2"})
    client = a_dataplane(
        "client",
        gateway="client",
        outbounds=[
            {"port": 9001, "backendRef": {"kind": "MeshService", "name": "api", "port": 80}}
        ],
    )

    found = addresses(client, a_mesh_service(selector=selector), one, two)

    assert [address for address, _ in found] == expected


def test_only_ready_inbounds_behind_the_port_get_traffic() -> None:
    inbounds = [
        an_inbound("api", 8080, state="NotReady"),
        an_inbound("api", 8081, name="http"),
        an_inbound("api", 8082),
    ]
    ports = [{**HTTP, "targetPort": "http"}]

    found = addresses(
        a_client(), a_mesh_service(ports=ports), a_dataplane("one", inbounds=inbounds)
    )

    assert found == [("127.0.0.1", 8081)]


@pytest.mark.parametrize(("state", "expected"), [("NotReady", []), ("Ready", [8080])])
def test_the_other_inbounds_answer_while_one_that_has_the_tags_is_ready(
    state: str, expected: list[int]
) -> None:
    """The port picks among all inbounds of a Dataplane that the tags of one select."""
    chosen = {**an_inbound("api", 9090), "state": state}
    server = a_dataplane("server", inbounds=[chosen, an_inbound("web", 8080)])

    found = addresses(server, a_client(), a_mesh_service())

    assert [port for _, port in found] == expected


def test_everybody_behind_the_service_may_answer() -> None:
    inbounds = [an_inbound("api", 8080), an_inbound("admin", 8081)]

    found = the_destination(
        a_client(), a_mesh_service(), a_dataplane("one", inbounds=inbounds), mtls=True
    )

    assert isinstance(found.tls, MutualTls)
    assert found.tls.sans == ("spiffe://default/admin", "spiffe://default/api")
    assert found.tls.sni == names.resource_sni("api", "default", "msvc", 80)


@pytest.mark.parametrize(
    ("name", "short", "port", "expected"),
    [("backend", "mzsvc", 8080, "ae10a8071b8a8eeb8.backend.8080.demo.mzms")],
)
def test_the_server_name_is_that_of_kuma(name: str, short: str, port: int, expected: str) -> None:
    assert names.resource_sni(name, "demo", short, port) == expected


def test_a_long_name_is_cut_in_the_server_name() -> None:
    _, name, *_ = names.resource_sni("a" * 80, "demo", "msvc", 80).split(".")

    assert name == "a" * 62 + "x"


@pytest.mark.parametrize("ready", [True, False])
def test_a_permissive_mesh_waits_until_the_service_is_ready(ready: bool) -> None:
    found = a_mesh_service()
    status = MeshServiceStatus(tls=ServiceTls(status=TlsStatus.READY if ready else None))
    service = type(found)(found.kind, found.meta, found.spec, status)

    made = the_destination(a_client(), service, a_mesh(permissive=True))

    assert (made.tls is not None) is ready


def seconds(*resources: AnyResource) -> float:
    """The request timeout that holds for the client's outbound."""
    plan = plan_of("client", a_client(), *resources)
    conf = the_outbound(plan, "default_api___msvc_80").conf.get(TimeoutConf)
    assert conf is not None
    assert conf.http is not None
    assert conf.http.request_timeout is not None
    return conf.http.request_timeout.total_seconds()


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([({"kind": "Mesh"}, 1)], 1),
        ([(target(name="api"), 2), ({"kind": "Mesh"}, 1)], 2),
        ([(target(name="api", sectionName="http"), 3), (target(name="api"), 2)], 3),
        ([(target(labels={"team": "a"}), 4), ({"kind": "Mesh"}, 1)], 4),
        ([(target(name="api", sectionName="sql"), 5), ({"kind": "Mesh"}, 1)], 1),
        ([(target(name="other"), 6), ({"kind": "Mesh"}, 1)], 1),
    ],
)
def test_the_narrowest_rule_holds(items: list[tuple[Any, int]], expected: int) -> None:
    ports = [HTTP, {"name": "sql", "port": 5432}]
    service = a_mesh_service(ports=ports, labels={"team": "a"})

    assert seconds(service, a_timeout("t", *items)) == expected


def test_the_name_of_a_kubernetes_service_by_tag_means_its_port() -> None:
    labels = {"k8s.kuma.io/namespace": "shop", "kuma.io/display-name": "api"}
    service = a_mesh_service("api-1", labels=labels)
    policy = a_timeout("t", (target(name="api_shop_svc_80"), 1), (target(name="api_shop_svc"), 2))

    rules = resource_rules(a_view(service, policy), "MeshTimeout", ("t",))

    found = [(each.section.resource.name, each.section.name) for each in rules.values()]
    assert found == [("api-1", ""), ("api-1", "http")]


@pytest.mark.parametrize(
    ("namespace", "expected"), [({}, []), ({"namespace": "shop"}, ["default_api_shop__msvc_80"])]
)
def test_a_backend_is_named_within_the_namespace_of_the_route_unless_it_says_another(
    namespace: Mapping[str, str], expected: list[str]
) -> None:
    labels = {"k8s.kuma.io/namespace": "shop", "kuma.io/display-name": "api"}
    ref = target(name="api", port=80, **namespace)
    rules = [
        {
            "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
            "default": {"backendRefs": [ref]},
        }
    ]
    to = [{"targetRef": {"kind": "MeshService", "name": "web"}, "rules": rules}]
    client = a_dataplane("client", outbounds={9001: "web"})
    server = a_dataplane("web-1", service="web")

    plan = plan_of(
        "client",
        client,
        server,
        a_mesh_service("api-1", labels=labels),
        a_policy("MeshHTTPRoute", "r", {"to": to}),
    )

    assert [each.name for each in plan.destinations] == expected


def test_a_route_needs_backends_that_speak_http() -> None:
    ports = [HTTP, {"name": "sql", "port": 5432}]
    refs = [target(name="api", port=port) for port in (80, 5432, 81)]
    everything = [{"path": {"type": "PathPrefix", "value": "/"}}]
    rules = [{"matches": everything, "default": {"backendRefs": refs}}]
    route = a_policy(
        "MeshHTTPRoute", "r", {"to": [{"targetRef": target(name="api"), "rules": rules}]}
    )

    plan = plan_of("client", a_client(), a_mesh_service(ports=ports), route)

    assert [each.name for each in plan.destinations] == ["default_api___msvc_80"]
    assert sorted(messages(plan)) == [
        'MeshService "api" with port 81 is not found',
        'port 5432 of MeshService "api" does not speak HTTP but tcp',
    ]


def test_the_kind_is_registered() -> None:
    assert REGISTRY.find_by_short("msvc") is MESH_SERVICE
