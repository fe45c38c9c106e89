"""PostgreSQL's own promises: instances agree on the order, outages are told and lose nothing."""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from kuma.kit.clock import ManualClock
from kuma.resources.errors import Conflict, Unavailable
from kuma.resources.registry import Registry
from kuma.resources.store import Create, Delete, StoreListener, Update
from kuma.stores.errors import CannotOpen
from kuma.stores.postgres import PostgresStore
from kuma.stores.postgres_connection import Database, PostgresSettings
from kuma.stores.postgres_schema import migrate
from tests.support.kinds import (
    KINDS,
    a_garden,
    a_plant,
    garden_key,
    plant_key,
)
from tests.support.listeners import Recorder
from tests.support.postgres import PostgresServer

Opens = Callable[..., Awaitable[PostgresStore]]


@pytest.fixture
async def settings(postgres: PostgresServer) -> PostgresSettings:
    return await postgres.new_database()


@pytest.fixture
async def opens(settings: PostgresSettings) -> AsyncIterator[Opens]:
    opened: list[PostgresStore] = []

    async def start(
        listener: StoreListener, kinds: Registry = KINDS, **changed: object
    ) -> PostgresStore:
        store = PostgresStore(replace(settings, **changed), kinds, ManualClock())
        opened.append(store)
        await store.start(listener)
        return store

    yield start
    for store in opened:
        await store.close()


async def test_instances_see_all_commits_in_one_order(opens: Opens) -> None:
    here, there = Recorder(), Recorder()
    stores = [await opens(here), await opens(there)]
    await stores[0].commit([Create(a_garden())])

    async def write(number: int) -> None:
        store = stores[number % 2]
        own = (here, there)[number % 2]
        [plant] = await store.commit([Create(a_plant(f"p{number}"), owner=garden_key())])
        assert own.state[plant.key] == plant, "told before commit returned"
        if number % 3 == 0:
            await store.commit([Update(plant)])
        if number % 5 == 0:
            await store.commit([Delete(plant.key)])

    await asyncio.gather(*(write(number) for number in range(200)))

    expected = 1 + 200 + 67 + 40
    await here.until(lambda told: len(told.commits) >= expected)
    await there.until(lambda told: len(told.commits) >= expected)
    assert here.commits == there.commits
    assert len(here.commits) == expected, "nothing was told twice"
    assert here.state == there.state
    assert await stores[0].list("Plant") == [
        here.state[key] for key in sorted(here.state) if key.kind == "Plant"
    ]


async def test_concurrent_updates_at_two_instances_let_one_through(opens: Opens) -> None:
    first, second = await opens(Recorder()), await opens(Recorder())
    [rose] = await first.commit([Create(a_plant())])

    results = await asyncio.gather(
        *(store.commit([Update(rose)]) for store in (first, second) for _ in range(5)),
        return_exceptions=True,
    )

    assert sum(isinstance(result, list) for result in results) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 9


async def test_commits_that_meet_wait_for_each_other(opens: Opens) -> None:
    here, there = Recorder(), Recorder()
    first, second = await opens(here), await opens(there)

    for number in range(30):
        await asyncio.gather(
            first.commit([Create(a_plant(f"p{number}", mesh="first"))]),
            second.commit([Create(a_plant(f"p{number}", mesh="second"))]),
        )

    await here.until(lambda told: len(told.commits) == 60)
    await there.until(lambda told: len(told.commits) == 60)
    assert here.commits == there.commits


async def test_a_write_of_another_instance_can_be_updated_at_once(opens: Opens) -> None:
    told = Recorder()
    first, second = await opens(Recorder()), await opens(told)
    [rose] = await first.commit([Create(a_plant())])

    [again] = await second.commit([Update(rose)])

    assert again.meta.version == 2
    assert [changes[0].resource for changes in told.commits] == [rose, again]


async def test_a_commit_larger_than_a_notification_arrives(opens: Opens) -> None:
    told = Recorder()
    await opens(told)
    writer = await opens(Recorder())
    colours = tuple("green" for _ in range(20_000))

    await writer.commit([Create(a_plant(f"p{n}", leaf_colours=colours)) for n in range(3)])

    await told.until(lambda t: len(t.state) == 3)
    assert [len(changes) for changes in told.commits] == [3]


async def test_an_instance_behind_the_end_of_the_log_reads_everything_anew(
    opens: Opens, postgres: PostgresServer, settings: PostgresSettings
) -> None:
    told = Recorder()
    await opens(told)
    await postgres.execute(
        """UPDATE kuma_position SET seq = 9;
           INSERT INTO kuma_commit VALUES (9, '[]');
           NOTIFY kuma_commit, 'somebody'""",
        settings.db_name,
    )
    await told.until(lambda t: t.events.count("resynced") == 2)

    assert "unavailable" not in told.events
    await (await opens(Recorder())).commit([Create(a_garden())])
    await told.until(lambda t: garden_key() in t.state)


async def test_the_log_is_pruned(
    opens: Opens, settings: PostgresSettings, postgres: PostgresServer
) -> None:
    await postgres.execute("UPDATE kuma_position SET seq = 5000", settings.db_name)
    await postgres.execute("INSERT INTO kuma_commit VALUES (1, '[]')", settings.db_name)
    store = await opens(Recorder())

    await store.commit([Create(a_garden())])

    [(seq, changes)] = await postgres.fetch(
        "SELECT seq, changes FROM kuma_commit", settings.db_name
    )
    assert seq == 5001
    assert json.loads(changes)[0][0] == list(garden_key())


async def test_an_outage_is_told_and_everything_acknowledged_survives_it(
    opens: Opens, outage: PostgresServer
) -> None:
    told = Recorder()
    store = await opens(told)
    acknowledged: set[str] = set()
    refused = 0

    async def write(worker: int) -> None:
        nonlocal refused
        for number in range(100_000):
            try:
                await store.commit([Create(a_plant(f"w{worker}-{number}"))])
            except Unavailable:
                refused += 1
                return
            acknowledged.add(f"w{worker}-{number}")
            if len(acknowledged) == 200:
                crash.set()

    crash = asyncio.Event()
    writers = [asyncio.create_task(write(worker)) for worker in range(8)]
    await crash.wait()
    await asyncio.to_thread(outage.stop, "immediate")
    await asyncio.gather(*writers)
    await told.until(lambda t: t.events[-1] == "unavailable")

    began = time.monotonic()
    with pytest.raises(Unavailable, match="PostgreSQL at"):
        await store.commit([Create(a_garden())])
    with pytest.raises(Unavailable):
        await store.find(garden_key())
    assert time.monotonic() - began < 4
    assert refused == 8

    await asyncio.to_thread(outage.start)
    await told.until(lambda t: t.events[-1] == "resynced")

    assert {key.name for key in told.state} >= acknowledged
    assert told.events.count("unavailable") == 1
    await store.commit([Create(a_garden())])
    assert await store.list("Plant") == [
        told.state[key] for key in sorted(told.state) if key.kind == "Plant"
    ]


async def test_changes_of_others_during_an_outage_of_the_feed_are_not_missed(
    opens: Opens, postgres: PostgresServer, settings: PostgresSettings
) -> None:
    told = Recorder()
    await opens(told)
    other = await opens(Recorder())

    for number in range(10):
        await postgres.execute(
            f"""SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = '{settings.db_name}' AND query LIKE '%kuma_commit%'
                  AND pid <> pg_backend_pid()"""
        )
        while True:
            try:
                await other.commit([Create(a_plant(f"p{number}"))])
            except Unavailable:
                await asyncio.sleep(0.01)
            else:
                break

    await told.until(lambda t: plant_key("p9") in t.state)
    assert told.state.keys() >= {plant_key(f"p{number}") for number in range(10)}


async def test_a_server_that_hangs_is_noticed_and_comes_back(
    opens: Opens, outage: PostgresServer
) -> None:
    """Stopped processes still hold their sockets: no error ever arrives, only silence."""
    told = Recorder()
    quick = {"connection_timeout": timedelta(seconds=0.5), "heartbeat": timedelta(seconds=0.2)}
    store = await opens(told, **quick)
    await store.commit([Create(a_garden())])
    pids = await _processes(outage)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(Unavailable):
            await store.commit([Create(a_plant("unknown"))])
        assert time.monotonic() - began < 20
        await told.until(lambda t: t.events[-1] == "unavailable")
        with pytest.raises(Unavailable):
            await store.commit([Create(a_plant("refused"))])
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)

    await told.until(lambda t: t.events[-1] == "resynced")
    await store.commit([Create(a_plant("after"))])
    assert plant_key("refused") not in told.state
    assert {key: await store.find(key) for key in told.state} == told.state


async def test_an_instance_that_hangs_in_a_commit_does_not_stop_the_others(
    opens: Opens, postgres: PostgresServer, settings: PostgresSettings
) -> None:
    """Stands in for it: a pooled connection that has locked the counter and says no more."""
    quick = replace(settings, connection_timeout=timedelta(seconds=0.5))
    pool = Database(quick).pool()
    await pool.open()
    hung = await pool._pool.acquire()
    await hung.execute("BEGIN")
    await hung.fetch("SELECT seq FROM kuma_position FOR UPDATE")
    await hung.prepare("SELECT 1")

    store = await opens(Recorder())
    await store.commit([Create(a_garden())])

    await pool.close()


async def test_a_connection_that_the_server_ends_is_replaced(
    opens: Opens, postgres: PostgresServer, settings: PostgresSettings
) -> None:
    pool = Database(settings).pool()
    await pool.open()

    with pytest.raises(Unavailable):
        async with pool.connection() as connection:
            pid = connection.get_server_pid()
            await postgres.execute(f"SELECT pg_terminate_backend({pid})")
            await connection.execute("SELECT 1")
    with pytest.raises(ZeroDivisionError):
        async with pool.connection() as connection:
            ended = asyncio.Event()
            connection.add_termination_listener(lambda _connection: ended.set())
            pid = connection.get_server_pid()
            await postgres.execute(f"SELECT pg_terminate_backend({pid})")
            await ended.wait()
            raise ZeroDivisionError
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT 1") == 1

    await pool.close()


async def test_closing_during_an_outage_ends_at_once(opens: Opens, outage: PostgresServer) -> None:
    told = Recorder()
    store = await opens(told)
    await asyncio.to_thread(outage.stop, "immediate")
    await told.until(lambda t: t.events[-1] == "unavailable")

    async with asyncio.timeout(2):
        await store.close()

    with pytest.raises(Unavailable, match="closed"):
        await store.commit([Create(a_garden())])


async def test_a_name_that_the_database_cannot_hold_fails_alone(opens: Opens) -> None:
    """PostgreSQL's text has no NUL."""
    store = await opens(Recorder())

    results = await asyncio.gather(
        store.commit([Create(a_plant("before"))]),
        store.commit([Create(a_plant("a\x00b"))]),
        store.commit([Create(a_plant("after"))]),
        return_exceptions=True,
    )

    assert [isinstance(result, list) for result in results] == [True, False, True]
    assert not isinstance(results[1], Unavailable)


async def test_connections_are_replaced_at_the_end_of_their_lifetime(opens: Opens) -> None:
    store = await opens(
        Recorder(),
        max_connection_lifetime=timedelta(0),
        max_connection_lifetime_jitter=timedelta(0),
        max_open_connections=1,
    )
    for number in range(3):
        await store.commit([Create(a_plant(f"p{number}"))])
        assert await store.find(plant_key(f"p{number}")) is not None


async def test_a_database_without_schema_is_refused_with_the_command_to_run(
    postgres: PostgresServer,
) -> None:
    empty = await postgres.new_database(migrated=False)

    with pytest.raises(CannotOpen, match='no schema yet; run "kuma-cp migrate up"'):
        await PostgresStore(empty, KINDS, ManualClock()).start(Recorder())


async def test_migrations_run_once_however_many_run_them(postgres: PostgresServer) -> None:
    empty = await postgres.new_database(migrated=False)

    applied = await asyncio.gather(*(migrate(empty) for _ in range(5)))

    assert applied == [1] * 5
    assert await postgres.fetch("SELECT version, name FROM kuma_migration", empty.db_name) == [
        (1, "0001_resources")
    ]


async def test_a_newer_schema_is_refused_unless_tolerated(
    postgres: PostgresServer, settings: PostgresSettings, opens: Opens
) -> None:
    await postgres.execute("INSERT INTO kuma_migration VALUES (99, 'later')", settings.db_name)

    with pytest.raises(CannotOpen, match="schema 99, newer than this kuma-cp knows"):
        await opens(Recorder())
    with pytest.raises(CannotOpen, match="tolerateNewerDBVersions"):
        await migrate(settings)
    await opens(Recorder(), tolerate_newer_db_versions=True)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"db_name": "nowhere"}, 'database "nowhere" does not exist'),
        ({"user": "nobody"}, 'role "nobody" does not exist'),
        ({"read_replica_host": "replica"}, "readReplica is not supported"),
    ],
)
async def test_what_a_person_must_put_right_is_refused(
    opens: Opens, changed: dict[str, str], message: str
) -> None:
    with pytest.raises(CannotOpen, match=message):
        await opens(Recorder(), **changed)


async def test_a_server_that_is_not_there_is_unavailable(opens: Opens) -> None:
    with pytest.raises(Unavailable, match=r"PostgreSQL at 127\.0\.0\.1:1, database") as refused:
        await opens(Recorder(), host="127.0.0.1", port=1)

    assert not isinstance(refused.value, CannotOpen)


def test_a_password_is_not_printed() -> None:
    assert "hunter2" not in repr(PostgresSettings(password="hunter2"))


async def _processes(server: PostgresServer) -> list[int]:
    rows = await server.fetch("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    return [server.postmaster, *(pid for (pid,) in rows)]
