"""MeshServices follow the Dataplanes: made, kept, changed, and deleted after a grace period."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest_asyncio

from kuma.kit.clock import Clock, SystemClock
from kuma.pipeline.propagated_labels import NO_PROPAGATION, Propagation
from kuma.resources.kinds.dataplane import DATAPLANE
from kuma.resources.kinds.mesh_identity import MESH_IDENTITY, MeshIdentityStatus
from kuma.resources.kinds.mesh_service import MESH_SERVICE
from kuma.upkeep.mesh_services import MeshServiceUpkeep
from tests.support.builders import (
    a_dataplane,
    a_dataplane_insight,
    a_mesh,
    a_resource,
    an_inbound,
)
from tests.support.site import Site
from tests.upkeep.leader_job import AtWork

GRACE = timedelta(hours=1)
MODE = {"meshServices": {"mode": "Everywhere"}}
SINCE = "kuma.io/deletion-grace-period-started-at"


class Upkeep(AtWork):
    def __init__(self, site: Site, clock: Clock | None = None, grace: timedelta = GRACE) -> None:
        self.propagation = NO_PROPAGATION
        super().__init__(
            site,
            lambda: MeshServiceUpkeep(
                site.replica,
                site.writer,
                clock or site.clock,
                zone="default",
                grace=grace,
                propagation=self.propagation,
            ),
        )

    async def restart(self) -> None:
        await self.stop()
        self.start()

    async def end(self, dataplane: str) -> None:
        await self.delete(DATAPLANE, dataplane)

    def service(self, name: str = "backend") -> Any:
        return self.find(MESH_SERVICE, name)

    async def until_it(self, holds: Callable[[Any], Any], name: str = "backend") -> Any:
        """The MeshService, once that is so."""
        await self.until(lambda: holds(self.service(name)))
        return self.service(name)


@pytest_asyncio.fixture
async def upkeep(site: Site) -> AsyncIterator[Upkeep]:
    await site.writer.put(a_mesh(spec=MODE, mtls=True))
    made = Upkeep(site)
    yield made
    await made.stop()


async def test_a_service_of_dataplanes_becomes_a_mesh_service(upkeep: Upkeep) -> None:
    await upkeep.put(a_dataplane())

    made = await upkeep.until_it(lambda found: found and found.status)

    assert made.spec.to_json() == {
        "state": "Available",
        "selector": {"dataplaneTags": {"kuma.io/service": "backend"}},
        "ports": [{"name": "8080", "port": 8080, "targetPort": 8080, "appProtocol": "http"}],
        "identities": [{"type": "ServiceTag", "value": "backend"}],
    }
    assert made.status.to_json() == {
        "tls": {"status": "NotReady"},
        "dataplaneProxies": {"healthy": 1, "total": 1},
    }
    assert made.labels == {
        "kuma.io/display-name": "backend",
        "kuma.io/env": "universal",
        "kuma.io/managed-by": "meshservice-generator",
        "kuma.io/mesh": "default",
        "kuma.io/origin": "zone",
        "kuma.io/zone": "default",
    }


async def test_labels_of_dataplanes_come_and_go_if_they_are_propagated(upkeep: Upkeep) -> None:
    await upkeep.put(a_dataplane(labels={"team": "shop"}))
    made = await upkeep.until_it(lambda found: found and found.status)
    assert "team" not in made.labels, "that is off unless it is asked for"
    await upkeep.put(made.with_labels({**made.labels, "owner": "me"}))

    upkeep.propagation = Propagation(enabled=True)
    await upkeep.restart()
    await upkeep.until_it(lambda found: found.labels.get("team") == "shop")

    await upkeep.put(a_dataplane())
    made = await upkeep.until_it(lambda found: "team" not in found.labels)
    assert made.labels["owner"] == "me"


async def test_who_has_no_service_is_known_by_its_workload(upkeep: Upkeep) -> None:
    spec = {"networking": {"address": "192.168.0.1", "inbound": [{"port": 8080}]}}
    labels = {"app": "shop", "kuma.io/workload": "wl"}
    await upkeep.put(a_resource(DATAPLANE, "shop-1", spec, labels=labels))
    selector = {"dataplaneLabels": {"matchLabels": {"app": "shop"}}}
    service = {"selector": selector, "ports": [{"port": 8080}]}
    await upkeep.site.writer.put(a_resource(MESH_SERVICE, "shop", service))

    made = await upkeep.until_it(lambda found: found and found.spec.identities, "shop")

    assert made.spec.to_json()["identities"] == [{"type": "ServiceTag", "value": "wl"}]


async def test_a_name_that_is_no_dns_label_makes_none(upkeep: Upkeep) -> None:
    await upkeep.put(a_dataplane("one", service="Not_a_label"), a_dataplane("two"))

    await upkeep.until_it(lambda found: found)

    assert upkeep.service("Not_a_label") is None


async def test_the_ports_of_the_oldest_hold_until_nobody_has_them(upkeep: Upkeep) -> None:
    await upkeep.put(a_dataplane("one", port=8080))
    upkeep.site.clock.advance(timedelta(seconds=1))
    await upkeep.put(a_dataplane("two", port=9090))
    both = await upkeep.until_it(
        lambda found: found and found.status and found.status.dataplane_proxies.total == 2
    )
    assert [each.port for each in both.spec.ports] == [8080]
    assert both.status.dataplane_proxies.healthy == 1

    await upkeep.end("one")

    await upkeep.until_it(lambda found: [each.port for each in found.spec.ports] == [9090])


async def test_tls_is_ready_once_all_have_certificates_and_stays_so(upkeep: Upkeep) -> None:
    await upkeep.put(a_dataplane("one"), a_dataplane("two"))
    issued = {"mTLS": {"issuedBackend": "ca-1"}}
    await upkeep.put(a_dataplane_insight("one", spec=issued))
    one = await upkeep.until_it(
        lambda found: found and found.status and found.status.dataplane_proxies.connected == 1
    )
    assert one.status.tls.status == "NotReady"

    await upkeep.put(a_dataplane_insight("two", spec=issued))
    await upkeep.until_it(lambda found: found.status.tls.status == "Ready")
    await upkeep.put(a_dataplane("three"))

    three = await upkeep.until_it(lambda found: found.status.dataplane_proxies.total == 3)
    assert three.status.tls.status == "Ready"


async def test_without_dataplanes_it_is_deleted_after_the_grace_period(upkeep: Upkeep) -> None:
    await upkeep.put(a_dataplane())
    await upkeep.until_it(lambda found: found and found.status)
    await upkeep.end("backend-1")
    left = await upkeep.until_it(lambda found: SINCE in found.labels)
    assert left.spec.state == "Unavailable"

    upkeep.site.clock.advance(GRACE - timedelta(seconds=1))
    await upkeep.restart()
    await upkeep.put(a_dataplane("other", service="other"))
    await upkeep.until_it(lambda found: found, "other")
    assert upkeep.service() is not None

    upkeep.site.clock.advance(timedelta(seconds=1))
    await upkeep.restart()
    await upkeep.until_it(lambda found: found is None)


async def test_a_dataplane_in_time_ends_the_grace_period(upkeep: Upkeep) -> None:
    await upkeep.put(a_dataplane())
    await upkeep.until_it(lambda found: found and found.status)
    await upkeep.end("backend-1")
    await upkeep.until_it(lambda found: SINCE in found.labels)

    await upkeep.put(a_dataplane("again"))

    back = await upkeep.until_it(lambda found: SINCE not in found.labels)
    assert back.spec.state == "Available"


async def test_without_mesh_services_only_those_made_by_hand_stay(upkeep: Upkeep) -> None:
    mine = a_resource(MESH_SERVICE, "mine", {"selector": {"dataplaneRef": {"name": "backend-1"}}})
    await upkeep.put(a_dataplane(), mine)
    await upkeep.until_it(lambda found: found and found.status)

    await upkeep.put(a_mesh(mtls=True))

    await upkeep.until_it(lambda found: found is None)
    kept = await upkeep.until_it(lambda found: found.status, "mine")
    assert [each.value for each in kept.spec.identities] == ["backend"]


async def test_one_made_by_hand_is_not_taken_over(upkeep: Upkeep) -> None:
    await upkeep.put(a_resource(MESH_SERVICE, "backend", {"ports": [{"port": 1}]}))
    await upkeep.put(a_dataplane())
    await upkeep.put(a_dataplane("other", service="other"))

    await upkeep.until_it(lambda found: found, "other")

    assert [each.port for each in upkeep.service().spec.ports] == [1]


async def test_labels_of_others_stay(upkeep: Upkeep) -> None:
    await upkeep.put(a_dataplane())
    made = await upkeep.until_it(lambda found: found and found.status)
    await upkeep.put(made.with_labels({**made.labels, "team": "shop"}))

    await upkeep.put(a_dataplane("backend-1", inbounds=[an_inbound(port=9090)]))

    changed = await upkeep.until_it(lambda found: [p.port for p in found.spec.ports] == [9090])
    assert changed.labels["team"] == "shop"


async def test_who_answers_by_a_mesh_identity_is_listed_and_makes_tls_ready(site: Site) -> None:
    await site.writer.put(a_mesh(spec=MODE))
    spec = {
        "selector": {"dataplane": {}},
        "provider": {"type": "Bundled", "bundled": {"autogenerate": {"enabled": True}}},
    }
    ready = {"conditions": [{"type": "Ready", "status": "True", "reason": "Ready"}]}
    made = await site.writer.put(a_resource(MESH_IDENTITY, "identity", spec))
    status = MeshIdentityStatus.model_validate(ready)
    await site.writer.update(replace(made.resource, status=status))
    upkeep = Upkeep(site)
    try:
        await upkeep.put(a_dataplane(labels={"kuma.io/workload": "web"}))
        found = await upkeep.until_it(lambda found: found and found.status)
        assert found.spec.to_json()["identities"] == [
            {"type": "ServiceTag", "value": "backend"},
            {"type": "SpiffeID", "value": "spiffe://default.default.mesh.local/workload/web"},
        ]
        assert found.status.tls.status == "NotReady"

        issued = {"mTLS": {"issuedBackend": "kri_mid_default_default__identity_"}}
        await upkeep.put(a_dataplane_insight("backend-1", spec=issued))
        await upkeep.until_it(lambda found: found.status.tls.status == "Ready")

        await site.writer.delete(made.resource.key)
        await upkeep.until_it(lambda found: found.status.tls.status == "NotReady")
        assert len(upkeep.service().spec.identities) == 1
    finally:
        await upkeep.stop()


async def test_the_grace_period_ends_though_nothing_changes(site: Site) -> None:
    await site.writer.put(a_mesh(spec=MODE))
    upkeep = Upkeep(site, SystemClock(), timedelta(milliseconds=300))
    try:
        await upkeep.put(a_dataplane())
        await upkeep.until_it(lambda found: found and found.status)
        await upkeep.end("backend-1")

        await upkeep.until_it(lambda found: found is None)
    finally:
        await upkeep.stop()


async def test_a_thousand_proxies_at_once_cost_a_few_writes(upkeep: Upkeep) -> None:
    for each in range(1000):
        await upkeep.site.create(a_dataplane(f"backend-{each}"))

    await upkeep.until_it(
        lambda found: found and found.status and found.status.dataplane_proxies.total == 1000
    )
    assert upkeep.writes.count("backend") < 50
