"""The contract of the store port (resources/store.py), run against every backend.

Tests ask a backend what it can do (`Can`), never which one it is.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone
from enum import Flag, auto
from pathlib import Path
from typing import Protocol

import pytest

from kuma.kit.clock import ManualClock
from kuma.resources.errors import AlreadyExists, Conflict, NotFound, Unavailable
from kuma.resources.kind import Kind
from kuma.resources.meta import ResourceMeta
from kuma.resources.registry import Registry
from kuma.resources.replica import Replica
from kuma.resources.resource import Resource
from kuma.resources.spec import SpecModel
from kuma.resources.store import Change, Create, Delete, Store, StoreListener, Update
from kuma.stores.memory import MemoryStore
from kuma.stores.postgres import PostgresStore
from kuma.stores.postgres_connection import PostgresSettings
from kuma.stores.sqlite import SqliteStore
from tests.support.kinds import (
    KINDS,
    LEAF,
    PLANT,
    PlantSpec,
    PlantStatus,
    a_garden,
    a_leaf,
    a_plant,
    garden_key,
    leaf_key,
    plant_key,
)
from tests.support.listeners import Recorder
from tests.support.postgres import PostgresServer


class Can(Flag):
    FORGET = 0
    REMEMBER = auto()
    """What was written is there when the store is opened again."""
    SHARE = auto()
    """Several stores are open on the same data at the same time."""


class Backend(Protocol):
    can: Can

    async def store(self, clock: ManualClock, kinds: Registry = KINDS) -> Store:
        """Another store on the same data, not started."""


class Memory:
    can = Can.FORGET

    async def store(self, clock: ManualClock, kinds: Registry = KINDS) -> Store:
        return MemoryStore(kinds, clock)


class Sqlite:
    can = Can.REMEMBER

    def __init__(self, folder: Path) -> None:
        self._path = folder / "kuma.db"

    async def store(self, clock: ManualClock, kinds: Registry = KINDS) -> Store:
        return SqliteStore(self._path, kinds, clock)


class Postgres:
    can = Can.REMEMBER | Can.SHARE

    def __init__(self, settings: PostgresSettings) -> None:
        self._settings = settings

    async def store(self, clock: ManualClock, kinds: Registry = KINDS) -> Store:
        return PostgresStore(self._settings, kinds, clock)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        return Postgres(await server.new_database())
    return Sqlite(tmp_path) if request.param == "sqlite" else Memory()


Opens = Callable[..., Awaitable[Store]]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def opens(backend: Backend, clock: ManualClock) -> AsyncIterator[Opens]:
    opened: list[Store] = []

    async def start(listener: StoreListener | None = None, kinds: Registry = KINDS) -> Store:
        store = await backend.store(clock, kinds)
        opened.append(store)
        await store.start(listener or Recorder())
        return store

    yield start
    for store in opened:
        await store.close()


@pytest.fixture
def told() -> Recorder:
    return Recorder()


@pytest.fixture
async def store(opens: Opens, told: Recorder) -> Store:
    return await opens(told)


def needs(backend: Backend, capability: Can) -> None:
    if capability not in backend.can:
        pytest.skip(f"this backend cannot {capability.name}")


async def test_a_created_resource_is_found_with_version_and_times(
    store: Store, clock: ManualClock
) -> None:
    rose = a_plant(
        labels={"colour": "röt", "": "empty"},
        status=PlantStatus(is_thirsty=True),
        height=3,
        leaf_colours=("green", "\x00 \U0001f33f"),
        watered_every=timedelta(hours=36),
    )

    [stored] = await store.commit([Create(rose)])

    meta = ResourceMeta("eden", "rose", 1, clock.now(), clock.now(), rose.labels)
    assert stored == Resource(PLANT, meta, rose.spec, rose.status)
    assert await store.find(plant_key()) == stored


async def test_an_update_counts_the_version_and_keeps_the_creation_time(
    store: Store, clock: ManualClock
) -> None:
    [first] = await store.commit([Create(a_plant(height=1))])
    clock.advance(timedelta(microseconds=1))

    changed = Resource(PLANT, first.meta, PlantSpec(height=2)).with_labels({"a": "b"})
    [second] = await store.commit([Update(changed)])

    meta = ResourceMeta("eden", "rose", 2, first.meta.creation_time, clock.now(), {"a": "b"})
    assert second == Resource(PLANT, meta, PlantSpec(height=2))
    assert await store.find(plant_key()) == second


async def test_times_are_kept_to_the_microsecond_in_utc(opens: Opens, clock: ManualClock) -> None:
    clock.advance(timedelta(microseconds=123_457))
    store = await opens()

    await store.commit([Create(a_garden())])

    found = await store.find(garden_key())
    assert found is not None
    assert found.meta.creation_time == clock.now()
    assert found.meta.creation_time.tzinfo is UTC


async def test_a_second_create_of_the_same_key_already_exists(store: Store) -> None:
    [first] = await store.commit([Create(a_plant(height=1))])

    with pytest.raises(AlreadyExists) as refused:
        await store.commit([Create(a_plant(height=2))])

    assert refused.value.key == plant_key()
    assert await store.find(plant_key()) == first


async def test_the_same_name_in_another_mesh_or_kind_is_another_resource(store: Store) -> None:
    await store.commit([Create(a_plant()), Create(a_plant(mesh="kew")), Create(a_leaf("rose"))])

    assert [p.key for p in await store.list("Plant")] == [plant_key(), plant_key(mesh="kew")]


async def test_a_delete_of_an_older_version_conflicts(store: Store) -> None:
    [first] = await store.commit([Create(a_garden())])
    [second] = await store.commit([Update(first)])

    with pytest.raises(Conflict):
        await store.commit([Delete(first.key, first.meta.version)])
    assert await store.find(first.key) == second

    await store.commit([Delete(first.key, second.meta.version)])
    assert await store.find(first.key) is None


async def test_an_update_of_an_older_version_conflicts(store: Store) -> None:
    [first] = await store.commit([Create(a_plant())])
    [second] = await store.commit([Update(first)])

    with pytest.raises(Conflict) as refused:
        await store.commit([Update(first)])

    assert refused.value.key == plant_key()
    assert await store.find(plant_key()) == second


async def test_what_is_not_there_can_be_neither_updated_nor_deleted(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.commit([Update(a_plant())])
    with pytest.raises(NotFound) as refused:
        await store.commit([Delete(plant_key())])
    assert refused.value.key == plant_key()
    assert await store.find(plant_key()) is None


async def test_an_owner_must_exist(store: Store) -> None:
    with pytest.raises(NotFound) as refused:
        await store.commit([Create(a_plant(), owner=garden_key())])

    assert refused.value.key == garden_key()
    assert await store.list("Plant") == []


async def test_a_commit_is_taken_whole_or_not_at_all(store: Store, told: Recorder) -> None:
    [rose] = await store.commit([Create(a_plant("rose"))])
    told.commits.clear()

    with pytest.raises(NotFound):
        await store.commit(
            [Create(a_plant("tulip")), Update(rose), Create(a_leaf()), Delete(plant_key("none"))]
        )

    assert await store.list("Plant") == [rose]
    assert await store.list("Leaf") == []
    assert told.commits == []


async def test_writes_of_one_commit_build_on_each_other(store: Store, told: Recorder) -> None:
    created = a_plant(height=1)
    stored = await store.commit(
        [
            Create(a_garden()),
            Create(created, owner=garden_key()),
            Delete(plant_key()),
            Create(a_plant(height=2), owner=garden_key()),
            Create(a_leaf(), owner=plant_key()),
        ]
    )

    assert [each.key for each in stored] == [garden_key(), plant_key(), plant_key(), leaf_key()]
    found = await store.find(plant_key())
    assert found is not None
    assert (found.spec, found.meta.version) == (PlantSpec(height=2), 1)
    assert told.state == {key: await store.find(key) for key in told.state}
    assert told.state.keys() == {garden_key(), plant_key(), leaf_key()}


async def test_an_update_within_the_commit_that_created_needs_the_new_version(
    store: Store,
) -> None:
    with pytest.raises(Conflict):
        await store.commit([Create(a_plant()), Update(a_plant())])
    assert await store.find(plant_key()) is None


async def test_a_commit_of_nothing_tells_nobody(store: Store, told: Recorder) -> None:
    assert await store.commit([]) == []
    assert told.commits == []


async def test_an_owned_resource_goes_with_its_owner_and_each_deletion_is_told(
    store: Store, told: Recorder
) -> None:
    await store.commit([Create(a_garden()), Create(a_garden("kew"))])
    await store.commit(
        [
            Create(a_plant("rose"), owner=garden_key()),
            Create(a_plant("tulip"), owner=garden_key()),
            Create(a_plant("wild")),
            Create(a_plant("fern"), owner=garden_key("kew")),
        ]
    )
    await store.commit([Create(a_leaf(), owner=plant_key("rose"))])
    told.commits.clear()

    assert await store.commit([Delete(garden_key())]) == []

    assert await store.list("Garden") == [told.state[garden_key("kew")]]
    assert [plant.name for plant in await store.list("Plant")] == ["fern", "wild"]
    assert await store.list("Leaf") == []
    [changes] = told.commits
    assert sorted(change.key for change in changes) == sorted(
        [garden_key(), plant_key("rose"), plant_key("tulip"), leaf_key()]
    )
    assert all(change.resource is None for change in changes)
    assert [change.key for change in changes][-1] == garden_key()


async def test_an_update_keeps_the_owner(store: Store) -> None:
    await store.commit([Create(a_garden())])
    [rose] = await store.commit([Create(a_plant(), owner=garden_key())])
    await store.commit([Update(rose)])

    await store.commit([Delete(garden_key())])

    assert await store.find(plant_key()) is None


async def test_a_resource_made_again_has_only_its_new_owner(store: Store) -> None:
    await store.commit([Create(a_garden()), Create(a_garden("kew"))])
    await store.commit([Create(a_plant(), owner=garden_key())])
    await store.commit([Delete(plant_key()), Create(a_plant(), owner=garden_key("kew"))])

    await store.commit([Delete(garden_key())])
    assert await store.find(plant_key()) is not None

    await store.commit([Delete(garden_key("kew"))])
    assert await store.find(plant_key()) is None


async def test_deleting_what_a_delete_before_it_took_along_is_not_found(store: Store) -> None:
    await store.commit([Create(a_garden()), Create(a_plant(), owner=garden_key())])

    with pytest.raises(NotFound):
        await store.commit([Delete(garden_key()), Delete(plant_key())])

    assert await store.find(garden_key()) is not None


async def test_a_list_is_sorted_by_mesh_and_name_in_code_point_order(store: Store) -> None:
    names = ["a-b", "a", "ab", "B", "a.b", "ä", "z"]
    await store.commit([Create(a_plant(n, mesh=m)) for n in names for m in ("kew", "eden")])

    in_kew = [plant.name for plant in await store.list("Plant", "kew")]
    everywhere = [(plant.mesh, plant.name) for plant in await store.list("Plant")]

    assert in_kew == sorted(names)
    assert everywhere == sorted((m, n) for n in names for m in ("kew", "eden"))
    assert await store.list("Plant", "nowhere") == []


async def test_the_listener_is_told_before_commit_returns(store: Store, told: Recorder) -> None:
    assert told.log == [("resynced", 0)]

    [rose] = await store.commit([Create(a_plant())])

    assert told.commits == [[Change(plant_key(), rose)]]
    await store.commit([Delete(plant_key())])
    assert told.commits[1:] == [[Change(plant_key(), None)]]


async def test_concurrent_updates_of_one_version_let_one_through(store: Store) -> None:
    [rose] = await store.commit([Create(a_plant())])

    results = await asyncio.gather(
        *(store.commit([Update(rose)]) for _ in range(20)), return_exceptions=True
    )

    assert sum(isinstance(result, list) for result in results) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 19


async def test_a_failing_commit_fails_no_commit_beside_it(store: Store, told: Recorder) -> None:
    good = [store.commit([Create(a_plant(f"p{n}"))]) for n in range(20)]
    bad = [store.commit([Create(a_leaf(f"l{n}")), Delete(plant_key("no"))]) for n in range(20)]
    mixed = [each for pair in zip(good, bad, strict=True) for each in pair]

    results = await asyncio.gather(*mixed, return_exceptions=True)

    assert all(isinstance(result, list) for result in results[::2])
    assert all(isinstance(result, NotFound) for result in results[1::2])
    assert [commit[0].key.name for commit in told.commits] == [f"p{n}" for n in range(20)]
    assert await store.list("Leaf") == []


async def test_a_value_that_cannot_be_stored_fails_alone(store: Store) -> None:
    """A lone surrogate is no text in UTF-8."""
    results = await asyncio.gather(
        store.commit([Create(a_plant("before"))]),
        store.commit([Create(a_plant("bad", leaf_colours=("\ud800",)))]),
        store.commit([Create(a_plant("after"))]),
        return_exceptions=True,
    )

    assert isinstance(results[0], list)
    assert isinstance(results[2], list)
    assert {"after", "before"} <= {plant.name for plant in await store.list("Plant")}


async def test_a_cancelled_commit_leaves_the_store_working(store: Store) -> None:
    doomed = [asyncio.ensure_future(store.commit([Create(a_plant(f"p{n}"))])) for n in range(5)]
    await asyncio.sleep(0)
    for task in doomed:
        task.cancel()
    await asyncio.gather(*doomed, return_exceptions=True)

    await store.commit([Create(a_garden())])

    assert await store.find(garden_key()) is not None


async def test_a_closed_store_is_unavailable(store: Store) -> None:
    await store.commit([Create(a_plant())])
    await store.close()
    await store.close()

    with pytest.raises(Unavailable):
        await store.commit([Create(a_garden())])
    with pytest.raises(Unavailable):
        await store.find(plant_key())
    with pytest.raises(Unavailable):
        await store.list("Plant")


async def test_commits_that_wait_when_the_store_closes_are_answered(store: Store) -> None:
    waiting = [asyncio.ensure_future(store.commit([Create(a_plant(f"p{n}"))])) for n in range(9)]
    await asyncio.sleep(0)
    await store.close()

    for result in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(result, list | Unavailable)


async def test_a_replica_equals_the_store(store: Store, opens: Opens, backend: Backend) -> None:
    needs(backend, Can.REMEMBER)
    await store.commit([Create(a_garden()), Create(a_plant(), owner=garden_key())])
    await store.close()

    replica = Replica()
    again = await opens(replica)
    replica.check_available()
    assert replica.list("Plant") == await again.list("Plant")

    await again.commit([Delete(garden_key())])
    assert replica.find(plant_key()) is None


async def test_everything_is_there_after_opening_again(
    backend: Backend, store: Store, opens: Opens, told: Recorder
) -> None:
    needs(backend, Can.REMEMBER)
    await store.commit([Create(a_garden(labels={"a": "b"}))])
    await store.commit([Create(a_plant(height=7, status=PlantStatus(is_thirsty=False)))])
    await store.commit([Create(a_leaf(), owner=garden_key())])
    await store.close()

    recalled = Recorder()
    again = await opens(recalled)

    assert recalled.log == [("resynced", 3)]
    assert recalled.state == told.state
    await again.commit([Delete(garden_key())])
    assert recalled.state.keys() == {plant_key()}


async def test_a_row_of_an_unknown_kind_or_shape_is_left_out_and_kept(
    backend: Backend, store: Store, opens: Opens
) -> None:
    needs(backend, Can.REMEMBER)
    await store.commit([Create(a_garden()), Create(a_plant(height=1)), Create(a_leaf())])
    await store.close()

    class BonsaiSpec(SpecModel):
        wire: str | None = None

    bonsai = Kind("Plant", "Plants", PLANT.scope, BonsaiSpec)
    other = Recorder()
    changed = await opens(other, Registry((bonsai, LEAF)))
    assert other.state.keys() == {leaf_key()}
    assert await changed.list("Plant") == []
    await changed.close()

    recalled = Recorder()
    await opens(recalled)
    assert recalled.state.keys() == {garden_key(), plant_key(), leaf_key()}


async def test_a_clock_in_another_zone_is_stored_in_utc(backend: Backend, opens: Opens) -> None:
    needs(backend, Can.REMEMBER)
    east = datetime(2026, 7, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    store = await backend.store(ManualClock(east))
    await store.start(Recorder())
    await store.commit([Create(a_garden())])
    await store.close()

    found = await (await opens()).find(garden_key())

    assert found is not None
    assert found.meta.creation_time == datetime(2026, 7, 1, 10, tzinfo=UTC)


async def test_stores_on_the_same_data_hear_of_each_others_commits(
    backend: Backend, store: Store, opens: Opens, told: Recorder
) -> None:
    needs(backend, Can.SHARE)
    heard = Recorder()
    other = await opens(heard)

    await store.commit([Create(a_garden()), Create(a_plant(), owner=garden_key())])
    await other.commit([Delete(garden_key())])

    for each in (told, heard):
        await each.until(lambda listener: len(listener.commits) == 2)
    assert told.commits == heard.commits
    assert told.state == heard.state == {}
