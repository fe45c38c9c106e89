"""A Dataplane at a name that nobody knows the address of: no traffic, but policies."""

from typing import Any

import pytest

from kuma.kit.incremental import Engine
from kuma.pipeline.compile import Compiler
from kuma.pipeline.failures import Failures
from kuma.pipeline.index import Index
from kuma.pipeline.inspect import Inspection
from kuma.pipeline.view import TrackedView
from kuma.policies.catalogue import POLICIES, REGISTRY
from kuma.policies.placements import PLACEMENTS
from kuma.policies.shapers import SHAPERS
from kuma.resources.kinds.dataplane import DATAPLANE
from kuma.resources.kri import parse_kri
from kuma.resources.resource import AnyResource
from kuma.resources.store import Change
from tests.resolve.world import a_policy
from tests.support.builders import a_dataplane, a_mesh
from tests.support.replicas import replica_of

MESH_WITH_KRIS = a_mesh(spec={"meshServices": {"mode": "Exclusive"}})
LOCATED = a_dataplane("located")
UNLOCATED = a_dataplane("unlocated", address="nobody.knows.example")
POLICY = a_policy(
    "MeshTimeout",
    "t",
    {
        "targetRef": {"kind": "Dataplane", "name": "unlocated"},
        "rules": [{"default": {"idleTimeout": "7s"}}],
    },
)


class Nobody:
    async def get(self, address: str, port: int, path: str) -> bytes:
        raise AssertionError("is not asked")


@pytest.fixture
def inspection() -> Inspection:
    """As the lookup leaves it: the replica knows what the index was not told of."""
    engine, failures = Engine(), Failures(SHAPERS, PLACEMENTS)
    replica = replica_of(MESH_WITH_KRIS, LOCATED, UNLOCATED, POLICY)
    view = TrackedView(engine, mesh="default", zone="", placements=failures.placements)
    index = Index(engine, (kind.name for kind in POLICIES))
    index.changed([Change(each.key, each) for each in (MESH_WITH_KRIS, LOCATED, POLICY)])
    compiler = Compiler(engine, failures.renderer, lambda _: view, lambda _: ())
    return Inspection(
        replica, REGISTRY, compiler, lambda _: view, admin=Nobody(), failures=failures
    )


def kinds(answer: dict[str, Any], key: str) -> list[str]:
    return [each[key] for each in answer["policies" if "policies" in answer else "rules"]]


def test_its_rules_are_shown(inspection: Inspection) -> None:
    assert kinds(inspection.rules("default", "unlocated"), "type") == ["MeshTimeout"]
    assert kinds(inspection.rules("default", "located"), "type") == []


def test_its_parts_are_shown(inspection: Inspection) -> None:
    layout = inspection.layout("default", "unlocated")
    inbound = parse_kri(layout["inbounds"][0]["kri"])
    found = inspection.inbound_policies("default", "unlocated", inbound)
    assert found is not None
    assert kinds(found, "kind") == ["MeshTimeout"]


def test_it_is_among_those_that_a_policy_selects(inspection: Inspection) -> None:
    def names(found: Any) -> list[str]:
        resources: list[AnyResource] = list(found)
        return [each.name for each in resources if each.kind is DATAPLANE]

    assert names(inspection.selected_dataplanes(POLICY)) == ["unlocated"]
    policies = inspection.policies("default", "unlocated")
    assert list(policies["items"][0]["matchedPolicies"]) == ["MeshTimeout"]
