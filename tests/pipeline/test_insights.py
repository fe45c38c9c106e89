"""What proxies do is written in batches, merged with what others wrote, and closed in the end."""

import asyncio
from datetime import timedelta
from typing import Any

from kuma.envoy.snapshot import TypeUrl
from kuma.identity.builtin import generate_root
from kuma.identity.issuer import Subject, issue
from kuma.identity.key_pair import load_authority
from kuma.pipeline.certificates import Issued, Wanted
from kuma.pipeline.fanout import ProxyKey
from kuma.pipeline.insights import BATCH, Tracker
from kuma.plan.collector import Collector
from kuma.plan.piped import Piped, PipedBackend, PipedSignal
from kuma.plan.signal import Signal
from kuma.resources.kinds.dataplane_insight import DATAPLANE_INSIGHT
from kuma.resources.meta import ResourceKey
from kuma.resources.store import Delete
from kuma.upkeep.left_open import LeftOpen
from tests.support.builders import a_dataplane, a_mesh
from tests.support.site import Site

KEY = ProxyKey("default", "api-1")


def a_tracker(site: Site, *, instance: str = "cp-1", limit: int = 2) -> Tracker:
    return Tracker(
        site.store,
        site.replica,
        site.clock,
        instance=instance,
        flush_interval=timedelta(seconds=10),
        subscription_limit=limit,
    )


def insight(site: Site) -> Any:
    found = site.replica.find(ResourceKey(DATAPLANE_INSIGHT.name, "default", "api-1"))
    return None if found is None else found.spec


async def test_a_stream_is_written_with_its_counters_and_its_last_rejection(site: Site) -> None:
    await site.create(a_mesh(), a_dataplane("api-1"))
    tracker = a_tracker(site)
    stream = tracker.connected(KEY, {"envoy": {"version": "1.40.0"}}, {"workdir": "/tmp"})
    tracker.sent(KEY, stream, TypeUrl.LISTENER)
    tracker.rejected(KEY, stream, TypeUrl.LISTENER, "no such address")

    await tracker.flush()

    [subscription] = insight(site).subscriptions
    assert insight(site).is_online
    assert subscription.control_plane_instance_id == "cp-1"
    assert subscription.version.envoy.version == "1.40.0"
    assert subscription.status.lds.responses_sent == 1
    assert subscription.status.total.responses_rejected == 1
    assert subscription.status.last_rejection.type == "Listener"
    assert subscription.status.last_rejection.message == "no such address"
    assert insight(site).metadata == {"workdir": "/tmp"}


async def test_nothing_new_writes_nothing(site: Site) -> None:
    await site.create(a_mesh(), a_dataplane("api-1"))
    tracker = a_tracker(site)
    tracker.connected(KEY, {}, {})
    await tracker.flush()
    before = site.replica.find(ResourceKey(DATAPLANE_INSIGHT.name, "default", "api-1"))

    await tracker.flush()

    assert site.replica.find(before.key) is before


async def test_others_have_their_turn_while_those_of_many_proxies_are_written(site: Site) -> None:
    await site.create(a_mesh(), *(a_dataplane(f"api-{number}") for number in range(4 * BATCH)))
    tracker = a_tracker(site)
    for number in range(4 * BATCH):
        tracker.connected(ProxyKey("default", f"api-{number}"), {}, {})
    turns = 0

    async def wait() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    waiting = asyncio.create_task(wait())
    await tracker.flush()
    waiting.cancel()

    assert turns >= 3


async def test_a_newer_stream_to_another_instance_closes_the_one_before(site: Site) -> None:
    await site.create(a_mesh(), a_dataplane("api-1"))
    one, two = a_tracker(site), a_tracker(site, instance="cp-2")
    one.connected(KEY, {}, {})
    await one.flush()
    site.clock.advance(timedelta(seconds=5))

    two.connected(KEY, {}, {})
    await two.flush()

    first, second = insight(site).subscriptions
    assert first.disconnect_time == second.connect_time
    assert (second.control_plane_instance_id, second.is_online) == ("cp-2", True)
    assert (first.generation, second.generation) == (1, 2)


async def test_only_the_newest_streams_are_kept(site: Site) -> None:
    await site.create(a_mesh(), a_dataplane("api-1"))
    tracker = a_tracker(site, limit=2)
    for _ in range(4):
        stream = tracker.connected(KEY, {}, {})
        tracker.disconnected(KEY, stream)
        await tracker.flush()
        site.clock.advance(timedelta(seconds=1))

    assert [each.generation for each in insight(site).subscriptions] == [3, 4]
    assert not insight(site).is_online


async def test_a_write_that_lost_a_race_is_merged(site: Site) -> None:
    await site.create(a_mesh(), a_dataplane("api-1"))
    one, two = a_tracker(site), a_tracker(site, instance="cp-2")
    one.connected(KEY, {}, {})
    site.clock.advance(timedelta(seconds=1))
    two.connected(KEY, {}, {})

    await asyncio.gather(one.flush(), two.flush())

    instances = [each.control_plane_instance_id for each in insight(site).subscriptions]
    assert instances == ["cp-1", "cp-2"]


async def test_an_insight_that_cannot_be_written_does_not_keep_others_from_it(site: Site) -> None:
    await site.create(a_mesh(), a_dataplane("api-1"), a_dataplane("api-2"))
    tracker = a_tracker(site)
    tracker.connected(ProxyKey("default", "api-2"), {"envoy": {"version": 1.4}}, {})
    tracker.connected(KEY, {}, {})

    await tracker.flush()

    assert insight(site).is_online


async def test_the_insight_of_a_deleted_dataplane_is_not_written_again(site: Site) -> None:
    await site.create(a_mesh(), a_dataplane("api-1"))
    tracker = a_tracker(site)
    stream = tracker.connected(KEY, {}, {})
    await tracker.flush()
    await site.store.commit([Delete(ResourceKey("Dataplane", "default", "api-1"))])

    tracker.disconnected(KEY, stream)
    await tracker.flush()

    assert insight(site) is None


async def test_streams_of_instances_that_are_gone_are_closed(site: Site) -> None:
    await site.create(a_mesh(), a_dataplane("api-1"))
    dead = a_tracker(site, instance="dead")
    dead.connected(KEY, {}, {})
    await dead.flush()

    async def is_connected(instance: str) -> bool:
        return instance == "alive"

    def left_open(**options: Any) -> LeftOpen:
        every = timedelta(minutes=5)
        return LeftOpen(site.store, site.replica, site.clock, every=every, **options)

    await left_open(instance="dead", is_connected=is_connected).close()
    assert insight(site).is_online

    await left_open(instance="alive", is_connected=is_connected).close()
    assert not insight(site).is_online


async def test_a_stream_that_has_ended_keeps_its_time(site: Site) -> None:
    await site.create(a_mesh(), a_dataplane("api-1"))
    dead = a_tracker(site, instance="dead")
    dead.disconnected(KEY, dead.connected(KEY, {}, {}))
    ended = site.clock.now()
    dead.connected(KEY, {}, {})
    await dead.flush()
    site.clock.advance(timedelta(hours=1))
    every, options = timedelta(minutes=5), {"instance": "alive", "is_connected": None}

    await LeftOpen(site.store, site.replica, site.clock, every=every, **options).close()

    times = [each.disconnect_time for each in insight(site).subscriptions]
    assert times == [ended, site.clock.now()]


async def test_a_certificate_counts_once_the_proxy_has_acknowledged_it(site: Site) -> None:
    await site.create(a_mesh(), a_dataplane("api-1"))
    tracker = a_tracker(site)
    stream = tracker.connected(KEY, {}, {})
    subject, lifetime = Subject("default", ("api",), ()), timedelta(hours=1)
    root = load_authority(generate_root("default", clock=site.clock))
    made = issue(root, subject, clock=site.clock, lifetime=lifetime)
    tracker.issued(KEY, Issued(Wanted("ca-1", b"", subject, lifetime), made, 1))
    await tracker.flush()
    assert insight(site).mtls is None

    tracker.acknowledged(KEY, stream, TypeUrl.LISTENER)
    await tracker.flush()
    assert insight(site).mtls is None

    tracker.acknowledged(KEY, stream, TypeUrl.SECRET)
    await tracker.flush()
    assert insight(site).mtls.issued_backend == "ca-1"

    tracker.issued(KEY, None)
    await tracker.flush()
    assert insight(site).mtls is None


async def test_what_kuma_dp_sends_on_is_told_until_it_does_no_more(site: Site) -> None:
    await site.create(a_mesh(), a_dataplane("api-1"))
    tracker = a_tracker(site)
    tracker.connected(KEY, {}, {})
    signal = PipedSignal(Signal.TRACES, env_present=True, overrides=("endpoint",))
    backend = PipedBackend(Collector("main", "", 4317), "/tmp/s", (signal,))
    tracker.piped(KEY, Piped("/tmp", (backend,)))
    await tracker.flush()
    [told] = insight(site).open_telemetry.backends
    assert (told.name, told.logs, told.metrics) == ("main", None, None)
    assert told.traces.state == "ready"
    assert told.traces.env_allowed
    assert told.traces.env_input_present
    assert told.traces.override_kinds == ("endpoint",)

    tracker.piped(KEY, None)
    await tracker.flush()
    assert insight(site).open_telemetry is None
