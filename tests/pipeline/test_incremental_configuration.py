"""The pipeline's incremental result is, byte for byte, what resolution from scratch gives."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from kuma.envoy.render import Renderer
from kuma.kit.incremental import Engine
from kuma.pipeline.compile import Compiler
from kuma.pipeline.fanout import ProxyKey
from kuma.pipeline.index import Index
from kuma.pipeline.traits import Traits
from kuma.pipeline.view import TrackedView
from kuma.policies.catalogue import POLICIES
from kuma.policies.placements import PLACEMENTS
from kuma.policies.shapers import SHAPERS
from kuma.resolve.placement import Placement
from kuma.resolve.plain_view import PlainMeshView
from kuma.resources.resource import AnyResource
from kuma.resources.store import Change
from tests.resolve.world import a_mesh_service, virtual_outbounds
from tests.support.builders import (
    a_dataplane,
    a_mesh,
    a_resource,
    an_external_service,
)

KINDS = {kind.name: kind for kind in POLICIES}
SERVICES = ["web", "api", "db"]


class World:
    """Both sides fed with the same resources."""

    def __init__(self, **settings: Any) -> None:
        """`settings` are those of views."""
        self.settings = settings
        self.engine = Engine()
        self.index = Index(self.engine, KINDS)
        self.views: dict[str, TrackedView] = {}
        self.compiler = Compiler(self.engine, Renderer(SHAPERS), self.view, lambda _: ())
        self.resources: dict[Any, AnyResource] = {}
        self.observed: dict[str, Any] = {}
        self.told: list[str] = []

    def view(self, mesh: str) -> TrackedView:
        if mesh not in self.views:
            self.views[mesh] = TrackedView(
                self.engine, mesh=mesh, zone="default", placements=PLACEMENTS, **self.settings
            )
        return self.views[mesh]

    def put(self, *resources: AnyResource) -> None:
        self.index.changed([Change(each.key, each) for each in resources])
        self.resources |= {each.key: each for each in resources}

    def delete(self, *resources: AnyResource) -> None:
        self.index.changed([Change(each.key, None) for each in resources])
        for each in resources:
            self.resources.pop(each.key, None)

    def snapshot(self, name: str) -> Any:
        if name not in self.observed:
            self.observed[name] = self.engine.observe(
                lambda: self.told.append(name), self.compiler.outcome, ProxyKey("default", name)
            )
        return self.observed[name].value().snapshot

    def from_scratch(self, name: str) -> Any:
        plain = PlainMeshView(
            self.resources.values(),
            zone="default",
            placements=PLACEMENTS,
            tls_ready=frozenset(),
            **self.settings,
        )
        return self.compiler.snapshot_over(plain, name, Traits())


def a_policy(kind: str, name: str, spec: dict[str, Any]) -> AnyResource:
    return a_resource(KINDS[kind], name, spec)


targets = st.one_of(
    st.just({"kind": "Mesh"}),
    st.sampled_from(SERVICES).map(lambda s: {"kind": "MeshSubset", "tags": {"kuma.io/service": s}}),
    st.sampled_from(["v1", "v2"]).map(lambda v: {"kind": "MeshSubset", "tags": {"version": v}}),
)
destinations = st.one_of(
    st.just({"kind": "Mesh"}),
    st.sampled_from(SERVICES).map(lambda s: {"kind": "MeshService", "name": s}),
)
timeouts = st.builds(
    lambda name, target, to, seconds: a_policy(
        "MeshTimeout",
        name,
        {
            "targetRef": target,
            "to": [{"targetRef": to, "default": {"connectionTimeout": f"{seconds}s"}}],
        },
    ),
    st.sampled_from(["t1", "t2", "t3"]),
    targets,
    destinations,
    st.integers(1, 3),
)
routes = st.builds(
    lambda name, target, service, version: a_policy(
        "MeshHTTPRoute",
        name,
        {
            "targetRef": target,
            "to": [
                {
                    "targetRef": {"kind": "MeshService", "name": service},
                    "rules": [
                        {
                            "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                            "default": {
                                "backendRefs": [
                                    {
                                        "kind": "MeshServiceSubset",
                                        "name": service,
                                        "tags": {"version": version},
                                    }
                                ]
                            },
                        }
                    ],
                }
            ],
        },
    ),
    st.sampled_from(["r1", "r2"]),
    targets,
    st.sampled_from(SERVICES),
    st.sampled_from(["v1", "v2"]),
)
dataplanes = st.builds(
    lambda number, service, version, protocol, port, outbounds: a_dataplane(
        f"dp-{number}",
        service=service,
        port=port,
        protocol=protocol,
        tags={"version": version},
        outbounds={9000 + SERVICES.index(to): to for to in outbounds},
    ),
    st.integers(1, 4),
    st.sampled_from(SERVICES),
    st.sampled_from(["v1", "v2"]),
    st.sampled_from(["http", "tcp"]),
    st.sampled_from([8080, 8081]),
    st.sets(st.sampled_from(SERVICES)),
)
external = st.builds(
    lambda service, port: an_external_service("ext", service=service, address=f"10.0.0.1:{port}"),
    st.sampled_from(SERVICES),
    st.integers(80, 82),
)
meshes = st.builds(
    lambda mtls, mode: a_mesh(mtls=mtls, spec={"meshServices": {"mode": mode}}),
    st.booleans(),
    st.sampled_from(["Disabled", "ReachableBackends", "Exclusive"]),
)
redirected = st.builds(
    lambda number, service, reachable, backends, direct: a_dataplane(
        f"dp-{number}",
        service=service,
        address=f"10.0.0.{number}",
        networking={
            "transparentProxying": {
                "redirectPortInbound": 15006,
                "redirectPortOutbound": 15001,
                "reachableServices": sorted(reachable),
                "reachableBackends": backends,
                "directAccessServices": sorted(direct),
            }
        },
    ),
    st.integers(1, 4),
    st.sampled_from(SERVICES),
    st.sets(st.sampled_from(SERVICES), max_size=1),
    st.sampled_from([None, {"refs": [{"kind": "MeshService", "name": "api"}]}]),
    st.sets(st.sampled_from(["*", *SERVICES]), max_size=1),
)
bare = st.builds(
    lambda number, port: a_dataplane(
        f"dp-{number}",
        address=f"10.0.0.{number}",
        inbounds=[{"port": port, "tags": {"version": "v1"}}],
    ),
    st.integers(1, 4),
    st.integers(5432, 5433),
)
addresses = st.sets(st.sampled_from(SERVICES)).map(lambda found: virtual_outbounds(*found))
mesh_services = st.builds(
    lambda name, port: a_mesh_service(name, f"241.0.0.{SERVICES.index(name)}", port),
    st.sampled_from(SERVICES),
    st.integers(80, 81),
)
passthroughs = st.sampled_from(["All", "None"]).map(
    lambda mode: a_policy("MeshPassthrough", "p", {"default": {"passthroughMode": mode}})
)
edits = st.tuples(
    st.booleans(),
    st.one_of(
        timeouts,
        routes,
        bare,
        dataplanes,
        dataplanes,
        external,
        meshes,
        redirected,
        redirected,
        addresses,
        mesh_services,
        passthroughs,
    ),
)


OUTSIDE = [
    an_external_service(name, service=service, address=f"10.0.0.{at}:80")
    for at, (name, service) in enumerate([("stays", "api"), ("ext", "api"), ("ext", "db")], start=1)
]
CALLER = a_dataplane("dp-1", service="web", outbounds={9001: "api", 9002: "db"})
MOVED_AND_DELETED = [(False, CALLER), *((False, each) for each in OUTSIDE), (True, OUTSIDE[-1])]
BARE = [a_dataplane("dp-2", inbounds=[{"port": port}]) for port in (5432, 5433)]
REDIRECTED = a_dataplane(
    "dp-1",
    networking={
        "transparentProxying": {
            "redirectPortInbound": 15006,
            "redirectPortOutbound": 15001,
            "directAccessServices": ["*"],
        }
    },
)
CALLED_DIRECTLY = [(False, REDIRECTED), *((False, each) for each in BARE), (True, BARE[1])]


@settings(deadline=None)
@example(MOVED_AND_DELETED)
@example(CALLED_DIRECTLY)
@given(st.lists(edits, min_size=1, max_size=15))
def test_incremental_equals_from_scratch(script) -> None:
    world = World()
    world.put(a_mesh())
    names = [f"dp-{number}" for number in range(1, 5)]
    for deletes, resource in script:
        before = {name: world.from_scratch(name) for name in names}
        if deletes and resource.kind.name != "Mesh":
            world.delete(resource)
        else:
            world.put(resource)
        for name in names:
            expected = world.from_scratch(name)
            if expected != before[name] and name in world.observed:
                assert name in world.told
            assert world.snapshot(name) == expected
        world.told.clear()
        world.engine.collect()


def test_a_change_of_one_service_tells_only_its_consumers() -> None:
    world = World()
    world.put(
        a_mesh(),
        a_dataplane("api-1", service="api", port=8080),
        a_dataplane("db-1", service="db", port=8081),
        a_dataplane("uses-api", service="web", port=8082, outbounds={9000: "api"}),
        a_dataplane("uses-db", service="web", port=8083, outbounds={9001: "db"}),
    )
    for name in ("uses-api", "uses-db", "api-1", "db-1"):
        world.snapshot(name)
    world.engine.computations = 0

    world.put(a_dataplane("api-2", service="api", port=8085))

    assert world.told == ["uses-api"]
    world.snapshot("uses-db")
    assert world.engine.computations == 0


def test_proxies_share_the_objects_of_what_is_equal_for_them() -> None:
    world = World()
    world.put(
        a_mesh(),
        a_dataplane("api-1", service="api", port=8080),
        a_dataplane("web-1", service="web", port=8082, outbounds={9000: "api"}),
        a_dataplane("web-2", service="web", port=8083, outbounds={9000: "api"}),
    )
    one, two = world.snapshot("web-1"), world.snapshot("web-2")
    for kind in ("Cluster", "ClusterLoadAssignment", "RouteConfiguration"):
        url = next(each for each in one._by_type if each.endswith("." + kind))
        shared = [name for name in one.of(url) if name in two.of(url)]
        assert "api" in shared or "outbound:api" in shared
        assert all(one.of(url)[name] is two.of(url)[name] for name in shared)


def test_what_the_same_entries_say_of_many_services_is_merged_once() -> None:
    merged: list[str] = []

    def counting(placement: Placement) -> Placement:
        def merge(confs: Sequence[Any]) -> tuple[Any, ...]:
            if len(confs) > 1:
                merged.append(placement.name)
            return placement.merge(confs)

        return replace(placement, merge=merge)

    def timeout(name: str, target: dict[str, str], seconds: int) -> AnyResource:
        entry = {"targetRef": target, "default": {"connectionTimeout": f"{seconds}s"}}
        return a_policy("MeshTimeout", name, {"targetRef": {"kind": "Mesh"}, "to": [entry]})

    world, services = World(), [f"s-{number}" for number in range(20)]
    world.views["default"] = TrackedView(
        world.engine, mesh="default", zone="default", placements=tuple(map(counting, PLACEMENTS))
    )
    world.put(
        a_mesh(),
        *(a_dataplane(each, service=each) for each in services),
        a_dataplane("web-1", outbounds={9000 + at: each for at, each in enumerate(services)}),
        timeout("all", {"kind": "Mesh"}, 9),
        timeout("also-all", {"kind": "Mesh"}, 8),
        timeout("one", {"kind": "MeshService", "name": "s-7"}, 1),
    )
    world.snapshot("web-1")
    assert merged.count("MeshTimeout") == 2

    merged.clear()
    world.put(timeout("one", {"kind": "MeshService", "name": "s-7"}, 2))
    world.snapshot("web-1")
    assert merged == ["MeshTimeout"]
