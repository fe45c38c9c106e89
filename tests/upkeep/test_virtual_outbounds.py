"""Services by tags and ExternalServices have virtual addresses, kept in one Config for each mesh."""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from kuma.kit.address_pool import AddressPool
from kuma.pipeline.virtual_outbounds import wanted_entries, with_addresses
from kuma.resources.errors import Conflict, Unavailable
from kuma.resources.kinds.config import CONFIG
from kuma.resources.kinds.dataplane import DATAPLANE
from kuma.resources.kinds.external_service import EXTERNAL_SERVICE
from kuma.resources.kinds.mesh import MESH
from kuma.resources.meta import ResourceKey
from kuma.resources.store import Create, Write
from kuma.resources.virtual_outbounds import dump_entries, mesh_of_config, parse_entries
from kuma.upkeep import agenda
from kuma.upkeep.virtual_outbounds import VirtualOutbounds
from tests.support.builders import (
    a_dataplane,
    a_mesh,
    a_resource,
    an_external_service,
    an_inbound,
)
from tests.support.site import Site
from tests.upkeep.leader_job import AtWork

CONFIG_NAME = "kuma-default-dns-vips"
MESH_KEY = ResourceKey(MESH.name, "", "default")


class Job(AtWork):
    cidr = "240.0.0.0/4"

    def __init__(self, site: Site) -> None:
        super().__init__(
            site,
            lambda: VirtualOutbounds(
                site.store, site.replica, site.clock, cidr=self.cidr, of_services=True
            ),
        )

    def held(self) -> dict[str, Any]:
        found = self.find(CONFIG, CONFIG_NAME)
        return json.loads(found.spec.config) if found else {}

    def addresses(self) -> dict[str, str]:
        return {name: entry["address"] for name, entry in self.held().items()}


@pytest_asyncio.fixture
async def job(site: Site) -> AsyncIterator[Job]:
    await site.writer.put(a_mesh())
    made = Job(site)
    yield made
    await made.stop()


async def test_services_and_external_services_have_entries(job: Job) -> None:
    await job.put(a_dataplane(service="back_end"), an_external_service())

    await job.until(lambda: len(job.held()) == 3)

    assert job.held()["0:back_end"]["outbounds"] == [
        {"Port": 0, "TagSet": {"kuma.io/service": "back_end"}, "Origin": "service"}
    ]
    assert job.held()["0:httpbin"]["outbounds"] == [
        {"Port": 443, "TagSet": {"kuma.io/service": "httpbin"}, "Origin": "service"}
    ]
    assert job.held()["1:httpbin.example.com"]["outbounds"] == [
        {
            "Port": 443,
            "TagSet": {"kuma.io/service": "httpbin"},
            "Origin": "external-service:httpbin",
        }
    ]
    assert sorted(job.addresses().values()) == ["240.0.0.0", "240.0.0.1", "240.0.0.2"]


async def test_addresses_stay_and_those_of_the_gone_are_not_given_to_the_next(job: Job) -> None:
    await job.put(a_dataplane("a", service="a"))
    await job.until(lambda: job.addresses() == {"0:a": "240.0.0.0"})
    await job.put(a_dataplane("b", service="b"))
    await job.until(lambda: len(job.held()) == 2)
    await job.delete(DATAPLANE, "b")
    await job.until(lambda: len(job.held()) == 1)
    await job.put(a_dataplane("c", service="c"))

    await job.until(lambda: job.addresses() == {"0:a": "240.0.0.0", "0:c": "240.0.0.2"})


async def test_a_restart_changes_nothing_but_what_changed_meanwhile(job: Job) -> None:
    await job.put(a_dataplane("a", service="a"), a_dataplane("b", service="b"))
    await job.until(lambda: len(job.held()) == 2)
    before = job.addresses()
    await job.stop()
    await job.put(a_dataplane("c", service="c"))
    job.start()

    await job.until(lambda: job.addresses() == {**before, "0:c": "240.0.0.2"})


async def test_another_range_gives_new_addresses(job: Job) -> None:
    await job.put(a_dataplane("a", service="a"))
    await job.until(lambda: len(job.held()) == 1)
    await job.stop()
    job.cidr = "250.0.0.0/8"
    job.start()

    await job.put(a_dataplane("b", service="b"))

    await job.until(lambda: job.addresses() == {"0:a": "250.0.0.0", "0:b": "250.0.0.1"})


async def test_another_instance_of_a_service_costs_no_write(job: Job) -> None:
    await job.put(a_dataplane("a-1", service="a"))
    await job.until(lambda: len(job.held()) == 1)
    writes = job.writes.count(CONFIG_NAME)

    await job.put(a_dataplane("a-2", service="a"), a_dataplane("a-1", service="a", port=9000))
    await job.delete(DATAPLANE, "a-1")
    await job.put(a_dataplane("b", service="b"))

    await job.until(lambda: "0:b" in job.held())
    assert job.writes.count(CONFIG_NAME) == writes + 1


async def test_the_config_goes_with_its_mesh(job: Job) -> None:
    await job.put(an_external_service())
    await job.until(job.held)
    await job.delete(EXTERNAL_SERVICE, "httpbin")
    await job.until(lambda: not job.held())

    await job.delete(MESH, "default")

    assert job.find(CONFIG, CONFIG_NAME) is None


def test_the_first_of_two_with_one_host_and_port_gets_it() -> None:
    wanted = wanted_entries((), [an_external_service("a"), an_external_service("b", service="b")])

    [host] = [each for each in wanted.entries if each.name == "httpbin.example.com"]
    assert [each.origin for each in host.ports] == ["external-service:a"]
    assert wanted.conflicts == (
        "httpbin.example.com:443 of external-service:b is that of external-service:a already",
    )


def test_a_host_may_be_left_out_and_an_address_is_its_own() -> None:
    networking = {"address": "a.example.com:1", "disableHostDNSEntry": True}
    raw = {"networking": networking, "tags": {"kuma.io/service": "a"}}
    hidden = a_resource(EXTERNAL_SERVICE, "a", raw)
    wanted = wanted_entries(
        ["web"], [hidden, an_external_service("b", address="10.1.2.3:80")], of_services=False
    )

    assert [(each.name, each.address) for each in wanted.entries] == [("10.1.2.3", "10.1.2.3")]


def test_who_gets_no_address_is_counted() -> None:
    wanted = wanted_entries(["a", "b", "c"], []).entries

    entries, left_out = with_addresses(wanted, (), AddressPool("240.0.0.0/31"))

    assert left_out == 1
    assert [each.address for each in entries] == ["240.0.0.0", "240.0.0.1", ""]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"7:a": {}}', '{"0:a": {"outbounds": 5}}'])
def test_what_cannot_be_read_is_no_entry(text: str) -> None:
    assert parse_entries(text) == ()


def test_the_text_gives_back_what_was_written() -> None:
    entries = wanted_entries(["b", "a"], [an_external_service()]).entries

    assert parse_entries(dump_entries(entries)) == entries


@pytest.mark.parametrize(
    ("name", "mesh"),
    [("kuma-a-b-dns-vips", "a-b"), ("kuma-cluster-id", None), ("kuma--dns-vips", None)],
)
def test_the_name_of_the_config_has_the_mesh(name: str, mesh: str | None) -> None:
    assert mesh_of_config(name) == mesh


async def test_an_ignored_inbound_is_no_service(job: Job) -> None:
    ignored = an_inbound("hidden", state="Ignored")
    await job.put(a_dataplane(inbounds=[ignored, an_inbound("seen", 9000)]))

    await job.until(lambda: list(job.held()) == ["0:seen"])


async def test_a_thousand_services_at_once_cost_a_few_writes(job: Job) -> None:
    for each in range(1000):
        await job.site.create(a_dataplane(f"one-{each}", service=f"service-{each}"))

    await job.until(lambda: len(job.held()) == 1000)
    assert job.writes.count(CONFIG_NAME) < 50


async def test_addresses_that_the_store_did_not_take_are_free_again(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agenda, "RETRY", timedelta(0))
    commit, refused = job.site.store.commit, iter([Unavailable("away"), Conflict(MESH_KEY)])

    async def failing(writes: Sequence[Write]) -> Any:
        if any(isinstance(each, Create) and each.resource.kind is CONFIG for each in writes):
            for error in refused:
                raise error
        return await commit(writes)

    monkeypatch.setattr(job.site.store, "commit", failing)
    await job.put(a_dataplane(service="a"))

    await job.until(lambda: job.addresses() == {"0:a": "240.0.0.0"})
    assert next(refused, None) is None
