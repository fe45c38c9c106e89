"""MeshMultiZoneServices say which MeshServices are behind them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from kuma.resources.kinds.mesh_multi_zone_service import MESH_MULTI_ZONE_SERVICE
from kuma.resources.kinds.mesh_service import MESH_SERVICE
from kuma.resources.resource import AnyResource
from kuma.upkeep.multi_zone_services import MultiZoneServiceUpkeep
from tests.support.builders import a_mesh, a_resource
from tests.support.site import Site
from tests.upkeep.leader_job import AtWork


def a_multi_zone_service(**labels: str) -> AnyResource:
    spec = {"selector": {"meshService": {"matchLabels": labels}}, "ports": [{"port": 80}]}
    return a_resource(MESH_MULTI_ZONE_SERVICE, "all", spec)


def a_service(name: str, **labels: str) -> AnyResource:
    return a_resource(MESH_SERVICE, name, {}, labels=labels)


@pytest_asyncio.fixture
async def upkeep(site: Site) -> AsyncIterator[AtWork]:
    await site.writer.put(a_mesh())
    made = AtWork(site, lambda: MultiZoneServiceUpkeep(site.replica, site.writer))
    yield made
    await made.stop()


def matched(upkeep: AtWork) -> list[str] | None:
    """None: nobody looked yet."""
    found: Any = upkeep.find(MESH_MULTI_ZONE_SERVICE, "all")
    if found is None or found.status is None:
        return None
    return [each.name for each in found.status.mesh_services or ()]


async def test_those_with_the_labels_are_behind_it(upkeep: AtWork) -> None:
    await upkeep.put(a_service("b", app="x"), a_service("a", app="x"), a_service("c", app="y"))

    await upkeep.put(a_multi_zone_service(app="x"))

    await upkeep.until(lambda: matched(upkeep))
    assert upkeep.find(MESH_MULTI_ZONE_SERVICE, "all").status.to_json() == {
        "meshServices": [
            {"name": "a", "namespace": "", "zone": "default", "mesh": "default"},
            {"name": "b", "namespace": "", "zone": "default", "mesh": "default"},
        ],
        "conditions": [
            {
                "type": "MeshServicesMatched",
                "status": "True",
                "reason": "MatchesFound",
                "message": "Matched 2 MeshService(s)",
            }
        ],
    }


async def test_nobody_behind_it_is_told(upkeep: AtWork) -> None:
    await upkeep.put(a_multi_zone_service(app="x"))

    await upkeep.until(lambda: matched(upkeep) == [])
    assert upkeep.find(MESH_MULTI_ZONE_SERVICE, "all").status.to_json() == {
        "conditions": [
            {
                "type": "MeshServicesMatched",
                "status": "False",
                "reason": "NoMatchesFound",
                "message": "Selector does not match any MeshService in this zone",
            }
        ],
    }


async def test_services_come_change_and_go(upkeep: AtWork) -> None:
    await upkeep.put(a_multi_zone_service(app="x"))
    await upkeep.put(a_service("a", app="x"))
    await upkeep.until(lambda: matched(upkeep) == ["a"])

    await upkeep.put(a_service("a", app="y"), a_service("b", app="x"))
    await upkeep.until(lambda: matched(upkeep) == ["b"])
    await upkeep.put(a_multi_zone_service(app="y"))
    await upkeep.until(lambda: matched(upkeep) == ["a"])
    await upkeep.delete(MESH_SERVICE, "a")

    await upkeep.until(lambda: matched(upkeep) == [])


async def test_what_says_nothing_new_is_not_written_again(upkeep: AtWork) -> None:
    await upkeep.put(a_multi_zone_service(app="x"), a_service("a", app="x"))
    await upkeep.until(lambda: matched(upkeep) == ["a"])
    upkeep.writes.clear()

    await upkeep.stop()
    upkeep.start()
    await upkeep.put(a_service("b", app="x"))
    await upkeep.until(lambda: matched(upkeep) == ["a", "b"])

    assert upkeep.writes == ["b", "all"]
