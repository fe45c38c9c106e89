"""The embedded store's own promises: one process, one file, nothing acknowledged is lost."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from kuma.kit.clock import ManualClock
from kuma.resources.errors import Unavailable
from kuma.resources.store import Create, Delete
from kuma.stores.errors import CannotOpen
from kuma.stores.sqlite import SqliteStore
from tests.support.kinds import KINDS, a_garden, a_plant, garden_key
from tests.support.listeners import Recorder

ROOT = Path(__file__).parents[2]

WRITER = """
import asyncio, sys
from pathlib import Path
from kuma.kit.clock import SystemClock
from kuma.resources.store import Create
from kuma.stores.sqlite import SqliteStore
from tests.support.kinds import KINDS, a_plant
from tests.support.listeners import Recorder

async def write(store, worker):
    number = 0
    while True:
        name = f"w{worker}-{number}"
        await store.commit([Create(a_plant(name, mesh=mesh)) for mesh in ("one", "two")])
        print(name, flush=True)
        number += 1

async def main():
    store = SqliteStore(Path(sys.argv[1]), KINDS, SystemClock())
    await store.start(Recorder())
    print("open", flush=True)
    await asyncio.gather(*(write(store, worker) for worker in range(8)))

asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "work" / "kuma.db"


def a_store(path: Path) -> SqliteStore:
    return SqliteStore(path, KINDS, ManualClock())


def a_writer(path: Path) -> "subprocess.Popen[str]":
    """Another process that writes as fast as it can and prints what was acknowledged."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
    )


def lines(process: "subprocess.Popen[str]", count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().strip() for _ in range(count)]


def kill(process: "subprocess.Popen[str]") -> list[str]:
    """What it still had acknowledged."""
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate()
    return rest.split()


async def test_no_acknowledged_write_is_lost_when_the_process_is_killed(path: Path) -> None:
    acknowledged: set[str] = set()
    for round_ in range(3):
        writer = a_writer(path)
        assert lines(writer, 1) == ["open"]
        acknowledged |= {*lines(writer, 100), *kill(writer)}

        store, told = a_store(path), Recorder()
        await store.start(told)
        found = {key.name for key in told.state if key.mesh == "one"}
        assert found >= acknowledged
        assert found == {key.name for key in told.state if key.mesh == "two"}, "a torn commit"
        assert len(acknowledged) >= 100
        await store.commit([Delete(key) for key in told.state])
        await store.commit([Create(a_garden(f"round-{round_}"))])
        await store.close()
        acknowledged.clear()


async def test_a_file_in_use_is_refused_with_its_name_and_user(path: Path) -> None:
    writer = a_writer(path)
    try:
        assert lines(writer, 1) == ["open"]
        with pytest.raises(CannotOpen) as refused:
            await a_store(path).start(Recorder())
    finally:
        kill(writer)

    assert str(path) in refused.value.reason
    assert str(writer.pid) in refused.value.reason


async def test_a_second_store_of_the_same_process_is_refused_as_well(path: Path) -> None:
    first = a_store(path)
    await first.start(Recorder())

    with pytest.raises(CannotOpen):
        await a_store(path).start(Recorder())

    await first.commit([Create(a_garden())])
    await first.close()


async def test_the_files_are_readable_by_their_owner_only(path: Path) -> None:
    store = a_store(path)
    await store.start(Recorder())
    await store.commit([Create(a_garden())])

    modes = {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()}
    await store.close()

    names = ("kuma.db", "kuma.db-shm", "kuma.db-wal", "kuma.db.lock")
    assert modes == dict.fromkeys(names, 0o600)


async def test_the_schema_has_a_version_and_a_newer_one_is_refused(path: Path) -> None:
    store = a_store(path)
    await store.start(Recorder())
    await store.close()
    with sqlite3.connect(path) as raw:
        assert raw.execute("PRAGMA user_version").fetchone() == (1,)
        raw.execute("PRAGMA user_version = 99")
    raw.close()

    with pytest.raises(CannotOpen, match="newer kuma-cp \\(schema 99"):
        await a_store(path).start(Recorder())


async def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("not a database, but some other file of some length " * 100)

    with pytest.raises(CannotOpen, match=r"kuma\.db: file is not a database"):
        await a_store(path).start(Recorder())


async def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(CannotOpen, match=r"file/kuma\.db"):
        await a_store(tmp_path / "file" / "kuma.db").start(Recorder())


async def test_a_full_disk_makes_a_commit_unavailable_and_passes(path: Path) -> None:
    """SQLite's own limit on the number of pages stands in for the disk."""
    store, told = a_store(path), Recorder()
    await store.start(told)
    await store.commit([Create(a_garden())])
    assert store._file is not None
    store._file._writer.execute("PRAGMA max_page_count = 40")

    with pytest.raises(Unavailable, match="disk is full"):
        await store.commit(_too_much())

    assert await store.find(garden_key()) is not None
    store._file._writer.execute("PRAGMA max_page_count = 400000")
    await store.commit(_too_much())
    assert len(told.state) == 5001
    await store.close()


def _too_much() -> list[Create]:
    return [Create(a_plant(f"plant-{n}")) for n in range(5000)]


async def test_waiting_commits_share_a_transaction(path: Path) -> None:
    store, told = a_store(path), Recorder()
    await store.start(told)
    assert store._file is not None
    statements: list[str] = []
    store._file._writer.set_trace_callback(statements.append)

    await asyncio.gather(*(store.commit([Create(a_plant(f"p{n}"))]) for n in range(100)))
    await store.close()

    assert statements.count("COMMIT") < 5
    assert [changes[0].key.name for changes in told.commits] == [f"p{n}" for n in range(100)]
