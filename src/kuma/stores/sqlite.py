"""The embedded store: one SQLite file, owned by one process at a time.

    commit -> group commit -> writer thread (one connection, one transaction per batch, flushed)
                           -> event loop: listener.changed for each commit, then its caller
    find, list             -> reader thread (a connection of its own, so no read waits for a flush)

Write-ahead log and synchronous=FULL: what was acknowledged survives SIGKILL and power loss
(https://www.sqlite.org/wal.html, https://www.sqlite.org/pragma.html#pragma_synchronous).
"""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from kuma.kit.clock import Clock
from kuma.resources.errors import Unavailable
from kuma.resources.meta import ResourceKey
from kuma.resources.registry import Registry
from kuma.resources.resource import AnyResource
from kuma.resources.store import StoreListener, Write
from kuma.stores.errors import CannotOpen
from kuma.stores.group_commit import Batch, GroupCommit, Outcome, plan
from kuma.stores.rows import COLUMNS, Row, held_in, read_row, read_rows, row_of
from kuma.stores.schema import load_migrations
from kuma.stores.transaction import Commit, Held, Net, Transaction

T = TypeVar("T")

_ALL = f"SELECT {', '.join(COLUMNS)} FROM resource"  # noqa: S608 - names of columns, no input
_ONE = f"{_ALL} WHERE kind = ? AND mesh = ? AND name = ?"
_KIND = f"{_ALL} WHERE kind = ? ORDER BY mesh, name"
_KIND_IN_MESH = f"{_ALL} WHERE kind = ? AND mesh = ? ORDER BY name"
_HELD = """SELECT version, created, owner_kind, owner_mesh, owner_name FROM resource
           WHERE kind = ? AND mesh = ? AND name = ?"""
_OWNED = """SELECT kind, mesh, name FROM resource
            WHERE owner_kind = ? AND owner_mesh = ? AND owner_name = ?"""
_PUT = f"""INSERT INTO resource VALUES ({", ".join("?" * len(COLUMNS))})
           ON CONFLICT DO UPDATE SET {", ".join(f"{c} = excluded.{c}" for c in COLUMNS[3:])}"""  # noqa: S608 - as above
_ERASE = "DELETE FROM resource WHERE kind = ? AND mesh = ? AND name = ?"

_SLICE = 0.005
"""Seconds for which listeners are told before others have their turn: a batch is up to 256 commits."""
_BUSY_TIMEOUT_MS = 5000
"""How long to wait for a person's `sqlite3` shell or a backup that holds the file."""


class SqliteStore:
    """The file is made for its owner alone (mode 0600), since it holds secrets."""

    def __init__(self, path: Path, registry: Registry, clock: Clock) -> None:
        self._path = path
        self._registry = registry
        self._clock = clock
        self._file: _File | None = None
        self._commits = GroupCommit(self._write_batch)

    async def start(self, listener: StoreListener) -> None:
        """Raises CannotOpen: in use by another process, newer than this version, not a database."""
        self._listener = listener
        self._file = await asyncio.to_thread(_File, self._path)
        listener.resynced(await self._read(self._load))

    async def commit(self, writes: Sequence[Write]) -> list[AnyResource]:
        self._check_open()
        return await self._commits.commit(writes)

    async def find(self, key: ResourceKey) -> AnyResource | None:
        return await self._read(lambda reader: self._find(reader, key))

    async def close(self) -> None:
        """Writes that wait are finished first."""
        await self._commits.close()
        file, self._file = self._file, None
        if file is not None:
            await asyncio.to_thread(file.close)

    def _check_open(self) -> "_File":
        if self._file is None:
            raise Unavailable("the store is closed")
        return self._file

    async def _read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        file = self._check_open()
        return await asyncio.get_running_loop().run_in_executor(file.reading, file.read, read)

    def _load(self, reader: sqlite3.Connection) -> list[AnyResource]:
        return self._rows(reader.execute(_ALL))

    def _find(self, reader: sqlite3.Connection, key: ResourceKey) -> AnyResource | None:
        row = reader.execute(_ONE, key).fetchone()
        return None if row is None else read_row(Row(*row), self._registry)

    def _rows(self, rows: Iterable[Sequence[Any]]) -> list[AnyResource]:
        return read_rows((Row(*row) for row in rows), self._registry)

    async def _write_batch(self, batch: Batch) -> list[Outcome]:
        file = self._check_open()
        loop = asyncio.get_running_loop()
        outcomes = await loop.run_in_executor(file.writing, file.write, batch, self._clock)
        pause_at = monotonic() + _SLICE
        for outcome in outcomes:
            if isinstance(outcome, Commit) and outcome.changes:
                self._listener.changed(outcome.changes)
            if monotonic() >= pause_at:
                await asyncio.sleep(0)
                pause_at = monotonic() + _SLICE
        return outcomes

    async def list(self, kind: str, mesh: str | None = None) -> list[AnyResource]:
        where = (_KIND, (kind,)) if mesh is None else (_KIND_IN_MESH, (kind, mesh))
        return await self._read(lambda reader: self._rows(reader.execute(*where)))


class _File:
    """The open file: the lock on it, two connections and the thread of each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with ExitStack() as opened, self._translated(CannotOpen):
            opened.callback(os.close, _lock(path))
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._writer = opened.enter_context(closing(self._connect()))
            self._migrate()
            self._reader = opened.enter_context(closing(self._connect()))
            self._reader.execute("PRAGMA query_only = ON")
            self._opened = opened.pop_all()
        self.writing = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self.reading = ThreadPoolExecutor(1, thread_name_prefix="store-reader")

    def read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        with self._translated(Unavailable):
            return read(self._reader)

    def write(self, batch: Batch, clock: Clock) -> list[Outcome]:
        with self._translated(Unavailable), _transaction(self._writer):
            transaction = Transaction(_Stored(self._writer), clock.now())
            outcomes = plan(transaction, batch)
            self._store(transaction.net())
        return outcomes

    def close(self) -> None:
        self.writing.shutdown()
        self.reading.shutdown()
        self._opened.close()

    def _store(self, net: Net) -> None:
        self._writer.executemany(_ERASE, net.erased)
        self._writer.executemany(_PUT, [row_of(entry) for entry in net.written])

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    def _migrate(self) -> None:
        migrations = load_migrations("sqlite")
        (version,) = self._writer.execute("PRAGMA user_version").fetchone()
        if version > len(migrations):
            raise CannotOpen(
                f"{self._path} was written by a newer kuma-cp (schema {version}, "
                f"this one knows {len(migrations)}); start that version"
            )
        for migration in migrations[version:]:
            self._writer.executescript(
                f"BEGIN IMMEDIATE; {migration.sql}; "
                f"PRAGMA user_version = {migration.version}; COMMIT"
            )

    @contextmanager
    def _translated(self, error_class: type[Unavailable]) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError:
            raise  # a cascade that forgot something: a mistake here, not a database that is away
        except (sqlite3.Error, OSError) as error:
            raise error_class(f"{self._path}: {error}") from error


class _Stored:
    """Reads what the writes at hand touch, one by one: a lookup takes microseconds here."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def find(self, key: ResourceKey) -> Held | None:
        row = self._connection.execute(_HELD, key).fetchone()
        return None if row is None else held_in(row)

    def owned_by(self, owner: ResourceKey) -> list[ResourceKey]:
        return [ResourceKey(*row) for row in self._connection.execute(_OWNED, owner)]


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # some errors end the transaction themselves
            connection.execute("ROLLBACK")
        raise


def _lock(path: Path) -> int:
    """Take the file for this process; the kernel lets go of it however the process ends.

    The lock is on a file beside it: closing any descriptor of the database itself would drop
    SQLite's own locks (https://www.sqlite.org/howtocorrupt.html, section 2.2).
    """
    beside = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise CannotOpen(f"{path}: {error}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(descriptor, 32).decode().strip() or "unknown"
        os.close(descriptor)
        raise CannotOpen(
            f"{path} is in use by another process (pid {holder}); "
            "stop it, or give each control plane a file of its own"
        ) from error
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor
