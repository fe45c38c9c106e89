"""The replica follows the store: what it holds, what it passes on, and when it must not be read."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuma.kit.clock import ManualClock
from kuma.resources.errors import Unavailable
from kuma.resources.meta import ResourceMeta
from kuma.resources.replica import Replica
from kuma.resources.resource import AnyResource
from kuma.resources.store import Change, Create, Delete, Update
from kuma.stores.memory import MemoryStore
from tests.support.kinds import (
    GARDEN,
    KINDS,
    PlantSpec,
    a_garden,
    a_leaf,
    a_plant,
    garden_key,
    leaf_key,
    plant_key,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Subscribed:
    """What a subscriber of the replica was told."""

    def __init__(self, replica: Replica) -> None:
        self.batches: list[list[Change]] = []
        self.stop = replica.subscribe(lambda changes: self.batches.append(list(changes)))


def stored(
    resource: AnyResource, version: int = 1, *, created: datetime = NOON, **spec: Any
) -> AnyResource:
    meta = replace(resource.meta, version=version, creation_time=created, modification_time=created)
    return replace(resource, meta=meta, spec=type(resource.spec)(**spec))


@pytest.fixture
def replica() -> Replica:
    replica = Replica()
    replica.resynced([])
    return replica


def test_before_the_first_sync_nothing_may_be_read() -> None:
    with pytest.raises(Unavailable, match="not been read yet"):
        Replica().check_available()


def test_it_holds_what_a_resync_brings(replica: Replica) -> None:
    rose, kew, eden = stored(a_plant()), stored(a_garden("kew")), stored(a_garden("eden"))

    replica.resynced([rose, kew, eden])

    replica.check_available()
    assert replica.find(plant_key()) == rose
    assert replica.list("Garden") == replica.list(GARDEN) == [eden, kew]
    assert replica.count("Garden") == 2
    assert replica.find(leaf_key()) is None
    assert replica.list("Leaf") == []


def test_a_list_of_one_mesh_has_no_other(replica: Replica) -> None:
    plants = [stored(a_plant(name, mesh=mesh)) for mesh in ("kew", "eden") for name in ("b", "a")]
    replica.resynced(plants)

    assert [(p.mesh, p.name) for p in replica.list("Plant", "kew")] == [("kew", "a"), ("kew", "b")]
    assert [(p.mesh, p.name) for p in replica.list("Plant")] == [
        ("eden", "a"),
        ("eden", "b"),
        ("kew", "a"),
        ("kew", "b"),
    ]


def test_a_change_is_visible_when_its_subscribers_are_told(replica: Replica) -> None:
    seen: list[AnyResource | None] = []
    replica.subscribe(lambda _changes: seen.append(replica.find(plant_key())))
    rose = stored(a_plant())

    replica.changed([Change(plant_key(), rose)])
    replica.changed([Change(plant_key(), None)])

    assert seen == [rose, None]


def test_one_commit_is_one_batch(replica: Replica) -> None:
    told = Subscribed(replica)
    commit = [Change(plant_key(), stored(a_plant())), Change(leaf_key(), stored(a_leaf()))]

    replica.changed(commit)

    assert told.batches == [commit]


def test_what_is_no_news_wakes_nobody(replica: Replica) -> None:
    rose = stored(a_plant())
    replica.changed([Change(plant_key(), rose)])
    told = Subscribed(replica)

    replica.changed([Change(plant_key(), stored(a_plant()))])
    replica.changed([Change(leaf_key(), None)])
    replica.resynced([rose])

    assert told.batches == []


def test_a_resync_after_a_gap_tells_only_what_differs(replica: Replica) -> None:
    same, updated, gone = a_plant("same"), a_plant("updated"), a_plant("gone")
    replica.resynced([stored(same), stored(updated), stored(gone)])
    replica.unavailable("gone fishing")
    told = Subscribed(replica)
    later, new = stored(updated, 2, height=2), stored(a_plant("new"))

    replica.resynced([stored(same), later, new])

    [changes] = told.batches
    assert sorted(changes, key=lambda change: change.key) == [
        Change(plant_key("gone"), None),
        Change(plant_key("new"), new),
        Change(plant_key("updated"), later),
    ]
    assert replica.list("Plant") == [new, stored(same), later]


@pytest.mark.parametrize("clock_step", [timedelta(hours=1), timedelta(0), timedelta(hours=-1)])
def test_a_resource_made_again_replaces_the_one_before_whatever_the_clocks_say(
    replica: Replica, clock_step: timedelta
) -> None:
    """Another instance, whose clock may be slow, deleted and created it; version 1 follows 7."""
    old = stored(a_plant(), 7, height=7)
    new = stored(a_plant(), 1, created=NOON + clock_step, height=1)
    replica.resynced([old])
    told = Subscribed(replica)

    replica.changed([Change(plant_key(), None), Change(plant_key(), new)])
    assert replica.find(plant_key()) == new
    replica.resynced([old])
    assert replica.find(plant_key()) == old
    replica.resynced([new])
    assert replica.find(plant_key()) == new

    assert [[change.resource for change in batch] for batch in told.batches] == [
        [None, new],
        [old],
        [new],
    ]


def test_an_older_state_of_the_database_is_believed(replica: Replica) -> None:
    """Somebody restored a backup: versions went back."""
    replica.resynced([stored(a_plant(), 9, height=9)])
    replica.unavailable("being restored")

    replica.resynced([stored(a_plant(), 4, height=4)])

    assert replica.find(plant_key()) == stored(a_plant(), 4, height=4)


def test_while_the_store_is_away_the_pipeline_reads_on_and_the_api_is_told(
    replica: Replica,
) -> None:
    rose = stored(a_plant())
    replica.resynced([rose])
    told = Subscribed(replica)

    replica.unavailable("no answer within 5 s")

    with pytest.raises(Unavailable, match="no answer within 5 s"):
        replica.check_available()
    assert replica.unavailable_reason == "no answer within 5 s"
    assert replica.find(plant_key()) == rose
    assert told.batches == []

    replica.resynced([rose])
    replica.check_available()
    assert replica.unavailable_reason is None


def test_a_subscriber_that_fails_fails_no_other(replica: Replica) -> None:
    def fail(_changes: Sequence[Change]) -> None:
        raise RuntimeError("a mistake")

    replica.subscribe(fail)
    told = Subscribed(replica)

    replica.changed([Change(plant_key(), stored(a_plant()))])
    replica.changed([Change(plant_key(), None)])

    assert len(told.batches) == 2


def test_a_subscriber_can_stop_even_while_it_is_told_and_twice(replica: Replica) -> None:
    calls: list[int] = []

    def once(changes: Sequence[Change]) -> None:
        calls.append(len(changes))
        stop()

    stop = replica.subscribe(once)
    told = Subscribed(replica)

    replica.changed([Change(plant_key(), stored(a_plant()))])
    replica.changed([Change(plant_key(), None)])
    stop()

    assert calls == [1]
    assert len(told.batches) == 2


async def test_an_own_write_is_visible_when_commit_returns() -> None:
    replica, clock = Replica(), ManualClock()
    store = MemoryStore(KINDS, clock)
    await store.start(replica)

    [rose] = await store.commit([Create(a_plant())])
    assert replica.find(plant_key()) == rose
    [again] = await store.commit([Update(replace(rose, spec=PlantSpec(height=2)))])
    assert replica.find(plant_key()) == again
    await store.commit([Delete(plant_key()), Create(a_plant(height=3))])

    now = clock.now()
    [made_again] = replica.list("Plant")
    assert made_again.meta == ResourceMeta("eden", "rose", 1, now, now, {})
    assert made_again.spec == PlantSpec(height=3)


states = st.dictionaries(
    st.sampled_from([plant_key("a"), plant_key("b"), plant_key("c", "kew"), garden_key()]),
    st.tuples(st.integers(1, 3), st.integers(-1, 1)),
)


@given(st.lists(states, min_size=1, max_size=6))
def test_subscribers_can_rebuild_every_state_from_what_they_are_told(
    history: list[dict[Any, tuple[int, int]]],
) -> None:
    replica = Replica()
    rebuilt: dict[Any, AnyResource] = {}

    def follow(changes: Sequence[Change]) -> None:
        for change in changes:
            if change.resource is None:
                del rebuilt[change.key]
            else:
                rebuilt[change.key] = change.resource

    replica.subscribe(follow)
    for state in history:
        resources = [
            stored(
                a_garden() if key == garden_key() else a_plant(key.name, mesh=key.mesh),
                version,
                created=NOON + timedelta(seconds=step),
            )
            for key, (version, step) in state.items()
        ]
        replica.resynced(resources)
        assert rebuilt == {resource.key: resource for resource in resources}
        assert {r.key: r for kind in KINDS for r in replica.list(kind)} == rebuilt
