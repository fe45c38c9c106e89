"""A proxy with very many of something: made part by part, and at a cost that grows no faster than that.

What would grow with the square of these numbers would take minutes.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest

from kuma.envoy.snapshot import Snapshot, TypeUrl
from kuma.kit.incremental import Engine
from kuma.pipeline.compile import Compiler
from kuma.pipeline.failures import Failures
from kuma.pipeline.fanout import ProxyKey
from kuma.pipeline.index import Index
from kuma.pipeline.view import TrackedView
from kuma.policies.catalogue import POLICIES
from kuma.policies.placements import PLACEMENTS
from kuma.policies.shapers import SHAPERS
from kuma.resolve.attached_rules import attached_rules
from kuma.resolve.explain import explain_rules
from kuma.resources.resource import AnyResource
from kuma.resources.store import Change
from tests.resolve.world import a_mesh_service, a_policy, an_http_route
from tests.support.builders import a_dataplane, a_mesh, an_inbound, an_outbound

MANY = 3_000
BIG = ProxyKey("default", "big")


class World:
    def __init__(self, *resources: AnyResource) -> None:
        self.engine = Engine()
        self.failures = Failures(SHAPERS, PLACEMENTS)
        placements = self.failures.placements
        self.view = TrackedView(self.engine, mesh="default", zone="", placements=placements)
        self.compiler = Compiler(
            self.engine, self.failures.renderer, lambda _: self.view, lambda _: ()
        )
        index = Index(self.engine, (kind.name for kind in POLICIES))
        index.changed([Change(each.key, each) for each in (a_mesh(mtls=True), *resources)])

    def snapshot(self) -> Snapshot:
        """Nothing failed on the way."""
        found = self.compiler.outcome(BIG).snapshot
        assert not self.failures
        return found


def to_services(count: int) -> list[dict[str, Any]]:
    return [an_outbound(f"s{each}", 10_000 + each) for each in range(count)]


def test_inbounds_and_outbounds_are_made_part_by_part() -> None:
    inbounds = [an_inbound(f"s{each}", 20_000 + each) for each in range(100)]
    world = World(a_dataplane("big", inbounds=inbounds, outbounds=to_services(100)))
    computed = [world.engine.computations for _ in world.compiler.ahead(BIG)]
    world.snapshot()
    steps = [after - before for before, after in pairwise(computed)]
    assert len(steps) >= 400
    assert max(steps) <= 50
    assert world.engine.computations - computed[-1] <= 50


def test_proxies_that_send_alike_go_on_with_what_one_began() -> None:
    outbounds = to_services(100)
    world = World(
        *(a_dataplane(name, service="web", outbounds=outbounds) for name in ("big", "other"))
    )
    both = [world.compiler.ahead(ProxyKey("default", name)) for name in ("big", "other")]
    steps = 0
    while both:
        for each in tuple(both):
            if next(each, StopIteration) is StopIteration:
                both.remove(each)
            steps += 1
    alone = World(a_dataplane("big", service="web", outbounds=outbounds))
    assert steps < 1.1 * len(list(alone.compiler.ahead(BIG))) + 10


def rules(matches: Iterable[Any]) -> list[dict[str, Any]]:
    http = {"requestTimeout": "1s"}
    return [
        {"matches": [each], "default": {"http": {**http, "streamIdleTimeout": f"{at + 1}s"}}}
        for at, each in enumerate(matches)
    ]


def spiffe(kind: str, value: str) -> dict[str, Any]:
    return {"spiffeID": {"type": kind, "value": value}}


ROUTES = [
    {"matches": [{"path": {"type": "Exact", "value": f"/{each}"}}], "default": {}}
    for each in range(MANY)
]
CONNECT = {"connectionTimeout": "3s"}
TO = [
    {"targetRef": {"kind": "MeshService", "name": f"s{each}"}, "default": CONNECT}
    for each in range(MANY)
]
CLIENTS = [
    {"kind": "MeshService", "name": f"s{each}"}
    if each % 2
    else {"kind": "MeshSubset", "tags": {"team": f"t{each}"}}
    for each in range(MANY)
]
ALTERNATING = [
    {"targetRef": client, "default": {"action": "Allow" if at % 2 else "Deny"}}
    for at, client in enumerate(CLIENTS)
]
IDS = [spiffe("Exact", f"spiffe://default/s{each}") for each in range(MANY)]
LARGE = {
    "routes": an_http_route("large", "s1", *ROUTES),
    "entries of to": a_policy("MeshTimeout", "large", {"to": TO}),
    "entries of from": a_policy("MeshTrafficPermission", "large", {"from": ALTERNATING}),
    "rules": a_policy("MeshTimeout", "large", {"rules": rules(IDS)}),
}


@pytest.mark.parametrize("what", LARGE)
def test_a_large_policy_costs_as_much_as_there_is_in_it(what: str) -> None:
    server, shop = a_dataplane("server", service="s1", address="10.0.0.2"), a_mesh_service("s1")
    port = {"port": 9000, "backendRef": {"kind": "MeshService", "name": "s1", "port": 80}}
    outbounds = [port, *to_services(50)]
    world = World(a_dataplane("big", service="web", outbounds=outbounds), server, shop, LARGE[what])
    found = world.snapshot()
    assert sum(len(each.body) for kind in TypeUrl for each in found.of(kind).values()) < 10_000_000
    explain_rules(world.view, "big")
    attached_rules(world.view, "big")


@pytest.mark.parametrize("nested", [True, False])
def test_rules_that_multiply_are_left_out_and_told(nested: bool) -> None:
    """Each of these holds with every other one, for some client."""
    prefixes = [spiffe("Prefix", f"spiffe://default/{'a' * each}") for each in range(300)]
    names = [{"sni": {"type": "Exact", "value": f"n{each}.mesh"}} for each in range(300)]
    policy = a_policy("MeshTimeout", "p", {"rules": rules(prefixes if nested else IDS + names)})
    world = World(a_dataplane("big", service="web"), policy)
    world.compiler.outcome(BIG)
    [failure] = world.failures._told
    assert failure.policy == "MeshTimeout"
    assert "TooManyCombinations" in failure.error
