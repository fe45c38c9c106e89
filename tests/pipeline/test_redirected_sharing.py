"""Redirected proxies that reach the same share what they send; the rest of a mesh costs them nothing."""

from typing import Any

from kuma.envoy.snapshot import Layered, TypeUrl
from kuma.resources.resource import AnyResource
from tests.pipeline.test_incremental_configuration import World
from tests.resolve.world import (
    a_mesh_service,
    a_permission,
    an_external_mesh_service,
    virtual_outbounds,
)
from tests.support.builders import a_dataplane, a_mesh

PORTS = {"redirectPortInbound": 15006, "redirectPortOutbound": 15001}
NAMES = [f"web-{number}" for number in range(20)]


def redirected(name: str, **reach: Any) -> AnyResource:
    address = f"10.0.0.{int(name.rpartition('-')[2]) + 1}"
    networking = {"transparentProxying": {**PORTS, **reach}}
    return a_dataplane(name, service="web", address=address, networking=networking)


def a_world(**reach: Any) -> World:
    world = World()
    world.put(
        a_mesh(spec={"meshServices": {"mode": "Everywhere"}}),
        virtual_outbounds("api", "db", "web"),
        a_mesh_service("api", "241.0.0.0"),
        an_external_mesh_service("payments", "242.0.0.0"),
        *(redirected(name, **reach) for name in NAMES),
    )
    return world


def shared(world: World, name: str, kind: TypeUrl = TypeUrl.CLUSTER) -> Any:
    found = world.snapshot(name).of(kind)
    assert isinstance(found, Layered)
    return found.shared


def test_all_that_reach_the_same_hold_one_layer() -> None:
    world = a_world()

    for kind in (TypeUrl.CLUSTER, TypeUrl.LISTENER):
        layers = {id(shared(world, name, kind)) for name in NAMES}
        assert len(layers) == 1
    assert "outbound:passthrough:ipv4" in shared(world, "web-0")
    assert "outbound:241.0.0.0:80" in shared(world, "web-0", TypeUrl.LISTENER)


def test_a_new_service_comes_to_all_in_one_layer_again() -> None:
    world = a_world()
    before = shared(world, "web-0", TypeUrl.LISTENER)

    world.put(a_mesh_service("new", "241.0.0.9"))

    layers = [shared(world, name, TypeUrl.LISTENER) for name in NAMES]
    assert layers[0] is not before
    assert all(each is layers[0] for each in layers)
    assert "outbound:241.0.0.9:80" in layers[0]


def test_what_a_proxy_does_not_reach_does_not_even_make_it_stale() -> None:
    refs = [{"kind": "MeshService", "name": "api"}]
    world = a_world(reachableServices=["db"], reachableBackends={"refs": refs})
    for name in NAMES:
        world.snapshot(name)
    world.told.clear()
    before = world.engine.computations

    world.put(
        a_mesh_service("new", "241.0.0.9"),
        an_external_mesh_service("payments", "242.0.0.0", 8443),
        a_dataplane("other-1", service="other", address="10.9.9.9"),
    )

    assert [world.snapshot(name) for name in NAMES]
    assert (world.told, world.engine.computations) == ([], before)


def test_a_new_virtual_address_of_another_service_costs_nothing() -> None:
    world = a_world(reachableServices=["db"])
    for name in NAMES:
        world.snapshot(name)
    world.told.clear()

    world.put(virtual_outbounds("api", "db", "web", "zoo"))

    assert world.told == []


def test_incremental_and_from_scratch_are_the_same() -> None:
    world = a_world(directAccessServices=["*"])
    world.snapshot("web-0")
    world.put(a_mesh_service("new", "241.0.0.9"), virtual_outbounds("api", "zoo"))
    world.put(a_dataplane("other-1", service="other", address="10.9.9.9"))
    world.delete(a_mesh_service("api"))

    for name in NAMES[:3]:
        assert world.snapshot(name) == world.from_scratch(name)


def listeners(world: World, name: str) -> set[str]:
    found = world.snapshot(name).of(TypeUrl.LISTENER)
    return {each for each in found if each.startswith("outbound:24")}


def test_a_permission_touches_those_whom_it_lets_call() -> None:
    service = {"kind": "MeshService", "name": "api"}
    client = {"kind": "MeshSubset", "tags": {"version": "v1"}}
    world = World(reaches_permitted_only=True)
    world.put(
        a_mesh(spec={"meshServices": {"mode": "Everywhere"}}),
        virtual_outbounds("api", "web"),
        a_dataplane("api-1", service="api", address="10.0.9.1"),
        *(redirected(name) for name in NAMES[:3]),
        a_permission("p", (client, "Allow"), top=service),
    )
    marked = a_dataplane(
        "marked-1",
        service="web",
        address="10.0.8.1",
        tags={"version": "v1"},
        networking={"transparentProxying": PORTS},
    )
    world.put(marked)
    everybody = ("marked-1", *NAMES[:3])
    assert [len(listeners(world, name)) for name in everybody] == [1, 0, 0, 0]
    before = {name: shared(world, name, TypeUrl.LISTENER) for name in everybody}

    world.put(a_permission("p", (client, "Deny"), top=service))

    assert [len(listeners(world, name)) for name in everybody] == [0, 0, 0, 0]
    after = {name: shared(world, name, TypeUrl.LISTENER) for name in everybody}
    assert [name for name in everybody if after[name] is not before[name]] == ["marked-1"]
    for name in everybody:
        assert world.snapshot(name) == world.from_scratch(name)
