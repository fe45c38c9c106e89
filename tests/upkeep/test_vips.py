"""Services get virtual addresses: stable ones, each only one service's."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest_asyncio
from prometheus_client import REGISTRY as METRICS

from kuma.resources.kinds.mesh_external_service import MESH_EXTERNAL_SERVICE
from kuma.resources.kinds.mesh_service import MESH_SERVICE
from kuma.resources.kinds.service_status import vips_of, with_vip
from kuma.resources.resource import AnyResource
from kuma.upkeep.vips import VipAllocation
from tests.support.builders import a_mesh, a_resource
from tests.support.site import Site
from tests.upkeep.leader_job import AtWork

RANGES = {MESH_SERVICE.name: "241.0.0.0/30", MESH_EXTERNAL_SERVICE.name: "242.0.0.0/8"}


class Allocation(AtWork):
    def __init__(self, site: Site) -> None:
        super().__init__(site, partial(VipAllocation, site.replica, site.writer, RANGES))

    def service(self, name: str) -> Any:
        return self.find(MESH_SERVICE, name) or self.find(MESH_EXTERNAL_SERVICE, name)

    def vips(self, name: str) -> tuple[str, ...]:
        return vips_of(self.service(name))

    async def add(self, *names: str) -> list[str]:
        """The addresses of these services, which are added one after the other."""
        for name in names:
            await self.put(a_service(name))
            await self.until(lambda name=name: self.vips(name))
        return [self.vips(name)[0] for name in names]


def a_service(name: str) -> AnyResource:
    return a_resource(MESH_SERVICE, name, {"ports": [{"port": 80}]})


def an_external(name: str) -> AnyResource:
    return a_resource(MESH_EXTERNAL_SERVICE, name, {"match": {"port": 443}})


def exhaustion() -> float:
    name = "vip_allocation_exhaustion_total"
    return METRICS.get_sample_value(name, {"mesh": "default"}) or 0.0


@pytest_asyncio.fixture
async def allocation(site: Site) -> AsyncIterator[Allocation]:
    await site.writer.put(a_mesh())
    made = Allocation(site)
    yield made
    await made.stop()


async def test_each_kind_has_its_range(allocation: Allocation) -> None:
    await allocation.put(an_external("httpbin"))
    await allocation.until(lambda: allocation.vips("httpbin"))

    assert await allocation.add("one", "two") == ["241.0.0.0", "241.0.0.1"]
    assert allocation.service("one").status.to_json()["vips"] == [{"ip": "241.0.0.0"}]
    assert allocation.service("httpbin").status.to_json()["vip"] == {"ip": "242.0.0.0"}


async def test_an_address_stays_over_a_restart_and_a_change_of_the_service(
    allocation: Allocation,
) -> None:
    await allocation.add("one", "two")
    await allocation.stop()
    await allocation.put(a_resource(MESH_SERVICE, "one", {"ports": [{"port": 81}]}))
    await allocation.delete(MESH_SERVICE, "two")
    allocation.start()

    assert await allocation.add("three") == ["241.0.0.1"]
    assert allocation.vips("one") == ("241.0.0.0",)


async def test_one_outside_of_the_range_is_kept(allocation: Allocation) -> None:
    await allocation.stop()
    await allocation.site.create(with_vip(a_service("old"), "251.0.0.7"))
    allocation.start()

    assert await allocation.add("new") == ["241.0.0.0"]
    assert allocation.vips("old") == ("251.0.0.7",)


async def test_of_two_with_one_address_one_gets_another(allocation: Allocation) -> None:
    await allocation.stop()
    await allocation.site.create(*(with_vip(a_service(n), "241.0.0.2") for n in ("one", "two")))
    allocation.start()

    await allocation.until(lambda: allocation.vips("two") == ("241.0.0.3",))
    assert allocation.vips("one") == ("241.0.0.2",)


async def test_exhaustion_is_told_once_and_ends_when_a_service_goes(allocation: Allocation) -> None:
    before = exhaustion()
    await allocation.add("one", "two", "three", "four")
    await allocation.put(a_service("five"))
    await allocation.put(an_external("httpbin"))
    await allocation.until(lambda: allocation.vips("httpbin"))
    assert allocation.vips("five") == ()
    assert exhaustion() == before + 1

    await allocation.delete(MESH_SERVICE, "two")

    await allocation.until(lambda: allocation.vips("five") == ("241.0.0.1",))
    assert exhaustion() == before + 1
