"""Workloads follow the labels of Dataplanes: made, counted, deleted."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from kuma.resources.kinds.dataplane import DATAPLANE
from kuma.resources.kinds.workload import WORKLOAD
from kuma.resources.resource import AnyResource
from kuma.upkeep.workloads import WorkloadUpkeep
from tests.support.builders import (
    a_dataplane,
    a_dataplane_insight,
    a_mesh,
    a_resource,
    an_inbound,
)
from tests.support.site import Site
from tests.upkeep.leader_job import AtWork

ONLINE = {"subscriptions": [{"id": "1", "connectTime": "2026-01-01T00:00:00Z"}]}


def a_proxy(name: str, workload: str | None = "shop", **fields: Any) -> AnyResource:
    labels = {} if workload is None else {"kuma.io/workload": workload}
    return a_dataplane(name, labels=labels, **fields)


@pytest_asyncio.fixture
async def upkeep(site: Site) -> AsyncIterator[AtWork]:
    await site.writer.put(a_mesh())
    make = lambda: WorkloadUpkeep(site.replica, site.writer, site.clock, zone="default")  # noqa: E731
    made = AtWork(site, make)
    yield made
    await made.stop()


def counts(upkeep: AtWork, name: str = "shop") -> tuple[int, int, int] | None:
    """Connected, healthy and all of them."""
    found: Any = upkeep.find(WORKLOAD, name)
    if found is None or found.status is None:
        return None
    proxies = found.status.dataplane_proxies
    return proxies.connected, proxies.healthy, proxies.total


async def test_a_label_makes_a_workload(upkeep: AtWork) -> None:
    await upkeep.put(a_proxy("one"), a_proxy("none", None))

    await upkeep.until(lambda: counts(upkeep))
    made = upkeep.find(WORKLOAD, "shop")
    assert made.labels == {
        "kuma.io/env": "universal",
        "kuma.io/managed-by": "workload-generator",
        "kuma.io/mesh": "default",
        "kuma.io/origin": "zone",
        "kuma.io/zone": "default",
    }
    assert made.status.to_json() == {"dataplaneProxies": {"connected": 0, "healthy": 1, "total": 1}}


async def test_its_proxies_are_counted(upkeep: AtWork) -> None:
    down = [an_inbound("backend", 8080, state="NotReady")]
    half = [*down, an_inbound("backend", 8081)]
    await upkeep.put(a_proxy("one"), a_proxy("two", inbounds=down), a_proxy("three", inbounds=half))
    await upkeep.until(lambda: counts(upkeep) == (0, 2, 3))

    await upkeep.put(a_dataplane_insight("two", spec=ONLINE))
    await upkeep.until(lambda: counts(upkeep) == (1, 2, 3))
    await upkeep.put(a_proxy("two"))
    await upkeep.until(lambda: counts(upkeep) == (1, 3, 3))
    await upkeep.delete(DATAPLANE, "two")

    await upkeep.until(lambda: counts(upkeep) == (0, 2, 2))


async def test_it_goes_with_the_last_of_its_proxies(upkeep: AtWork) -> None:
    await upkeep.put(a_proxy("one"), a_proxy("two"))
    await upkeep.until(lambda: counts(upkeep) == (0, 2, 2))

    await upkeep.put(a_proxy("one", "other"))
    await upkeep.until(lambda: counts(upkeep, "other") == (0, 1, 1))
    assert counts(upkeep) == (0, 1, 1)
    await upkeep.delete(DATAPLANE, "two")

    await upkeep.until(lambda: upkeep.find(WORKLOAD, "shop") is None)


async def test_one_made_by_hand_stays_and_counts(upkeep: AtWork) -> None:
    await upkeep.put(a_resource(WORKLOAD, "shop", {}))
    await upkeep.until(lambda: counts(upkeep) == (0, 0, 0))

    await upkeep.put(a_proxy("one"))
    await upkeep.until(lambda: counts(upkeep) == (0, 1, 1))
    await upkeep.delete(DATAPLANE, "one")

    await upkeep.until(lambda: counts(upkeep) == (0, 0, 0))


async def test_one_deleted_by_hand_comes_back(upkeep: AtWork) -> None:
    await upkeep.put(a_proxy("one"))
    await upkeep.until(lambda: counts(upkeep))

    await upkeep.delete(WORKLOAD, "shop")

    await upkeep.until(lambda: counts(upkeep) == (0, 1, 1))


async def test_after_a_restart_it_goes_if_its_proxies_went_meanwhile(upkeep: AtWork) -> None:
    await upkeep.put(a_proxy("one"))
    await upkeep.until(lambda: counts(upkeep))
    await upkeep.stop()
    await upkeep.delete(DATAPLANE, "one")

    upkeep.start()

    await upkeep.until(lambda: upkeep.find(WORKLOAD, "shop") is None)
