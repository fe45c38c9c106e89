"""A policy that was accepted and cannot be applied: everything else goes on, and it is told."""

from collections.abc import Sequence
from dataclasses import fields, replace
from types import FunctionType
from typing import Any, NoReturn

import pytest
from structlog.testing import capture_logs

from kuma.envoy.shaper import PassedOut, Shaper, Upstream
from kuma.envoy.snapshot import Snapshot, TypeUrl
from kuma.kit.incremental import Engine
from kuma.kit.slots import Slots
from kuma.pipeline.compile import Compiler
from kuma.pipeline.failures import Failures
from kuma.pipeline.fanout import ProxyKey
from kuma.pipeline.index import Index
from kuma.pipeline.inspect import Inspection
from kuma.pipeline.view import TrackedView
from kuma.plan.failure import Failure
from kuma.plan.proxy import Destination
from kuma.policies.catalogue import POLICIES, REGISTRY
from kuma.policies.meshpassthrough.shape import PassthroughShaper
from kuma.policies.meshtimeout.model import TimeoutConf
from kuma.policies.placements import PLACEMENTS
from kuma.policies.shapers import SHAPERS
from kuma.resolve.isolation import isolated
from kuma.resolve.placement import Placement
from kuma.resources.resource import AnyResource
from kuma.resources.store import Change
from tests.envoy.plans import a_destination
from tests.resolve.world import a_mesh_service, a_permission, a_policy
from tests.support.builders import a_dataplane, a_mesh, an_outbound
from tests.support.replicas import replica_of

SHOP = a_mesh_service("shop")
TO_SHOP = {"port": 9003, "backendRef": {"kind": "MeshService", "name": "shop", "port": 80}}
WEB = a_dataplane(
    "web-1",
    service="web",
    outbounds=[an_outbound("api", 9001), an_outbound("db", 9002), TO_SHOP],
)
API = a_dataplane("api-1", service="api", address="192.168.0.2")


class Brittle(Shaper):
    """Of a policy of its own: cannot shape the destination `api` where it has a timeout of 7 s."""

    kind = "MeshTimeout"

    def destination_cluster(self, upstream: Upstream, destination: Destination) -> None:
        found = destination.conf.get(TimeoutConf)
        if found is not None and destination.service == "api":
            raise ValueError("too brittle")


def a_timeout(seconds: int) -> AnyResource:
    to = [{"targetRef": {"kind": "Mesh"}, "default": {"connectionTimeout": f"{seconds}s"}}]
    return a_policy("MeshTimeout", "t", {"to": to})


class World:
    def __init__(
        self,
        *resources: AnyResource,
        shapers: Sequence[Shaper] = SHAPERS,
        placements: Sequence[Placement] = PLACEMENTS,
    ) -> None:
        engine, replica = Engine(), replica_of(a_mesh(mtls=True), WEB, API, SHOP, *resources)
        self.failures = Failures(shapers, placements)
        view = TrackedView(engine, mesh="default", zone="", placements=self.failures.placements)
        self.compiler = Compiler(engine, self.failures.renderer, lambda _: view, lambda _: ())
        self.index = Index(engine, (kind.name for kind in POLICIES))
        self.put(*(each for kind in REGISTRY for each in replica.list(kind)))
        self.inspection = Inspection(
            replica,
            REGISTRY,
            self.compiler,
            lambda _: view,
            admin=Nobody(),
            failures=self.failures,
        )

    def put(self, *resources: AnyResource) -> None:
        self.index.changed([Change(each.key, each) for each in resources])

    def snapshot(self, name: str = "web-1") -> Snapshot:
        return self.compiler.outcome(ProxyKey("default", name)).snapshot

    def warnings(self, kind: str) -> list[str]:
        rules = self.inspection.rules("default", "web-1")["rules"]
        return [text for each in rules if each["type"] == kind for text in each["warnings"]]


class Nobody:
    async def get(self, address: str, port: int, path: str) -> bytes:
        raise AssertionError("is not asked")


def bodies(snapshot: Snapshot) -> dict[tuple[str, str], bytes]:
    return {
        (kind, name): each.body
        for kind in (TypeUrl.CLUSTER, TypeUrl.LISTENER, TypeUrl.ROUTE)
        for name, each in snapshot.of(kind).items()
    }


def test_a_shaper_that_fails_costs_the_resource_its_edit_alone() -> None:
    broken = World(a_timeout(7), shapers=(*SHAPERS, Brittle()))
    assert bodies(broken.snapshot()) == bodies(World(a_timeout(7)).snapshot())


def test_it_is_told_in_the_rules_of_the_proxies_that_it_concerns() -> None:
    world = World(a_timeout(7), shapers=(*SHAPERS, Brittle()))
    world.snapshot()
    assert world.warnings("MeshTimeout") == [
        (
            "could not be applied to destination api; it is as if it were not there: "
            "ValueError: too brittle"
        )
    ]
    assert world.inspection.rules("default", "api-1")["rules"][0]["warnings"] == []


def test_where_nothing_fails_nothing_is_looked_for() -> None:
    world = World(a_timeout(7))
    world.snapshot()
    assert not world.failures
    assert world.warnings("MeshTimeout") == []


def test_it_is_logged_once() -> None:
    failures = Failures([Brittle()], ())
    confs = Slots().put(TimeoutConf())
    with capture_logs() as logged:
        for _ in range(2):
            failures.renderer.destination(replace(a_destination("api"), service="api", conf=confs))
    assert [(each["policy"], each["part"]) for each in logged] == [
        ("MeshTimeout", "destination api")
    ]


def fail(*_: Any) -> NoReturn:
    raise ValueError("too brittle")


def failing(kind: str, part: str) -> list[Placement]:
    return [
        replace(each, **{part: fail}) if each.name == kind else each  # type: ignore[arg-type]
        for each in PLACEMENTS
    ]


API_TARGET = {"kind": "MeshService", "name": "api"}
PORT_TARGET = {"kind": "MeshService", "name": "shop", "sectionName": "80"}
RETRY = {"http": {"numRetries": 2}}
TRACE = {"default": {"backends": [{"type": "Zipkin", "zipkin": {"url": "http://10.0.0.1:9411/"}}]}}
MATCH = {"path": {"type": "PathPrefix", "value": "/v2"}}
BACKENDS = {"backendRefs": [{"kind": "MeshService", "name": "db", "weight": 1}]}
POLICIES_THAT_FAIL: dict[tuple[str, str], dict[str, Any]] = {
    ("MeshHTTPRoute", "http_routes"): {
        "to": [{"targetRef": API_TARGET, "rules": [{"matches": [MATCH], "default": BACKENDS}]}]
    },
    ("MeshTCPRoute", "tcp_backends"): {
        "to": [
            {"targetRef": {"kind": "MeshService", "name": "db"}, "rules": [{"default": BACKENDS}]}
        ]
    },
    ("MeshTrafficPermission", "on_inbound"): {
        "from": [{"targetRef": {"kind": "Mesh"}, "default": {"action": "Allow"}}]
    },
    ("MeshRateLimit", "on_inbound"): {
        "rules": [{"default": {"local": {"http": {"requestRate": {"num": 1, "interval": "1s"}}}}}]
    },
    ("MeshTrace", "on_reporter"): TRACE,
    ("MeshTrace", "merge"): TRACE,
    ("MeshRetry", "merge"): {"to": [{"targetRef": API_TARGET, "default": RETRY}]},
    ("MeshCircuitBreaker", "merge"): {
        "to": [{"targetRef": PORT_TARGET, "default": {"connectionLimits": {"maxRetries": 2}}}]
    },
    ("MeshHTTPRoute", "merge"): {
        "to": [{"targetRef": PORT_TARGET, "rules": [{"matches": [MATCH], "default": BACKENDS}]}]
    },
}


@pytest.mark.parametrize(("kind", "part"), POLICIES_THAT_FAIL)
def test_a_part_of_resolution_that_fails_costs_its_policy_alone(kind: str, part: str) -> None:
    policy = a_policy(kind, "p", POLICIES_THAT_FAIL[kind, part])
    without = World(a_timeout(7)).snapshot()
    broken = World(a_timeout(7), policy, placements=failing(kind, part))
    assert bodies(broken.snapshot()) == bodies(without)
    assert bodies(World(a_timeout(7), policy).snapshot()) != bodies(without)
    [warning] = broken.warnings(kind)
    assert warning.endswith("; it is as if it were not there: ValueError: too brittle")


def test_what_else_changes_arrives_all_the_same() -> None:
    """A denial, an endpoint that goes away."""
    policy = a_policy("MeshRetry", "p", POLICIES_THAT_FAIL["MeshRetry", "merge"])
    world = World(policy, placements=failing("MeshRetry", "merge"))
    world.snapshot()
    changes = (a_permission("deny", ({"kind": "Mesh"}, "Deny")), a_dataplane("api-1", service="db"))
    world.put(*changes)
    after = World()
    after.put(*changes)
    assert bodies(world.snapshot()) == bodies(after.snapshot())
    endpoints = world.snapshot().of(TypeUrl.ENDPOINT)
    assert endpoints == after.snapshot().of(TypeUrl.ENDPOINT)


def test_every_part_of_a_placement_is_isolated() -> None:
    parts = {
        each.name: getattr(placement, each.name)
        for placement in PLACEMENTS
        for each in fields(placement)
        if isinstance(getattr(placement, each.name), FunctionType)
    }
    told: list[Failure] = []
    everything = replace(PLACEMENTS[0], **dict.fromkeys(parts, fail))
    [guarded] = isolated([everything], told.append)
    for name in parts:
        getattr(guarded, name)(None)
    assert len(told) == len(parts)


REDIRECTED = a_dataplane(
    "web-1",
    service="web",
    networking={
        "transparentProxying": {"redirectPortInbound": 15006, "redirectPortOutbound": 15001}
    },
)
OPEN = a_policy("MeshPassthrough", "p", {"default": {"passthroughMode": "All"}})
NOBODY = a_policy("MeshPassthrough", "p", {"default": {"passthroughMode": "None"}})


class BrokenPassthrough(PassthroughShaper):
    def passed_out(self, made: PassedOut) -> NoReturn:
        raise ValueError("too brittle")


@pytest.mark.parametrize("part", ["merge", "on_passthrough"])
@pytest.mark.parametrize("policy", [OPEN, NOBODY])
def test_nothing_goes_out_where_it_is_not_known_what_may(policy: AnyResource, part: str) -> None:
    broken = World(REDIRECTED, policy, placements=failing("MeshPassthrough", part))
    assert bodies(broken.snapshot()) == bodies(World(REDIRECTED, NOBODY).snapshot())
    assert bodies(World(REDIRECTED, OPEN).snapshot()) != bodies(broken.snapshot())
    [warning] = broken.warnings("MeshPassthrough")
    assert warning.endswith("; it lets nobody through instead: ValueError: too brittle")


def test_nothing_goes_out_where_what_may_cannot_be_built() -> None:
    others = [each for each in SHAPERS if each.kind != "MeshPassthrough"]
    broken = World(REDIRECTED, NOBODY, shapers=[*others, BrokenPassthrough()])
    assert bodies(broken.snapshot()) == bodies(World(REDIRECTED, NOBODY).snapshot())


def test_mutual_tls_is_strict_where_the_policy_that_speaks_of_it_fails() -> None:
    spec = {"from": [{"targetRef": {"kind": "Mesh"}, "default": {"mode": "Permissive"}}]}
    policy = a_policy("MeshTLS", "p", spec)
    broken = World(policy, placements=failing("MeshTLS", "tls"))
    assert bodies(broken.snapshot()) == bodies(World().snapshot())
    assert bodies(World(policy).snapshot()) != bodies(World().snapshot())
    assert broken.warnings("MeshTLS") == [
        "could not be applied to mutual TLS; it is strict instead: ValueError: too brittle"
    ]
