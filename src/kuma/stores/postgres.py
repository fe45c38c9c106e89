"""The store of several instances: one PostgreSQL, any number of control planes that write to it.

    commit -> group commit -> one transaction: lock the counter, read what is touched, decide,
                              write, number and log each commit, notify
           -> feed (postgres_feed.py): own commits are told to the listener in their place
           -> its caller

The counter row is locked until the transaction ends, so commits are numbered in the order in which
they become visible. While the feed is without a connection every method raises Unavailable at once,
since nobody could promise that a write is seen by its own instance.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from kuma.kit.clock import Clock
from kuma.resources.errors import Unavailable
from kuma.resources.meta import ResourceKey
from kuma.resources.registry import Registry
from kuma.resources.resource import AnyResource
from kuma.resources.store import Change, Create, Delete, StoreListener, Write
from kuma.stores.group_commit import Batch, GroupCommit, Outcome, plan
from kuma.stores.postgres_connection import Database, Pool, PostgresSettings, application_name
from kuma.stores.postgres_feed import CHANNEL, ChangeFeed, encode_changes
from kuma.stores.rows import COLUMNS, Row, held_in, read_row, read_rows, row_of
from kuma.stores.transaction import Commit, Held, Net, Transaction

_KEPT_COMMITS = 4096
"""How far back the log reaches; an instance that is further behind reads everything anew."""

_ALL = f"SELECT {', '.join(COLUMNS)} FROM kuma_resource"  # noqa: S608 - names of columns, no input
_ONE = f"{_ALL} WHERE kind = $1 AND mesh = $2 AND name = $3"
_KIND = f"{_ALL} WHERE kind = $1 ORDER BY mesh, name"
_KIND_IN_MESH = f"{_ALL} WHERE kind = $1 AND mesh = $2 ORDER BY name"

_IS_CONNECTED = """
SELECT EXISTS (SELECT FROM pg_stat_activity
               WHERE datname = current_database() AND application_name = $1)"""

_LOCK = "SELECT seq FROM kuma_position FOR UPDATE"

_TOUCHED = """
WITH RECURSIVE doomed (kind, mesh, name) AS (
  SELECT kind, mesh, name FROM kuma_resource
  JOIN unnest($4::text[], $5::text[], $6::text[]) AS named (kind, mesh, name)
    USING (kind, mesh, name)
  UNION
  SELECT r.kind, r.mesh, r.name FROM kuma_resource r
  JOIN doomed d ON (r.owner_kind, r.owner_mesh, r.owner_name) = (d.kind, d.mesh, d.name)
), touched (kind, mesh, name) AS (
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
  UNION
  SELECT * FROM doomed
)
SELECT kind, mesh, name, version, created, owner_kind, owner_mesh, owner_name
FROM kuma_resource JOIN touched USING (kind, mesh, name)"""

_ERASE = """
DELETE FROM kuma_resource r USING unnest($1::text[], $2::text[], $3::text[]) AS e (kind, mesh, name)
WHERE (r.kind, r.mesh, r.name) = (e.kind, e.mesh, e.name)"""

_TYPES = ("text", "text", "text", "bigint", "bigint", "bigint", "json", "json", "json") + (
    "text",
) * 3
_PUT = f"""
INSERT INTO kuma_resource
SELECT * FROM unnest({", ".join(f"${n}::{t}[]" for n, t in enumerate(_TYPES, start=1))})
ON CONFLICT (kind, mesh, name) DO UPDATE
SET {", ".join(f"{c} = excluded.{c}" for c in COLUMNS[3:])}"""  # noqa: S608 - as above

_LOG = f"""
WITH counted AS (UPDATE kuma_position SET seq = $1),
     logged AS (INSERT INTO kuma_commit SELECT * FROM unnest($2::bigint[], $3::json[])),
     pruned AS (DELETE FROM kuma_commit WHERE seq <= $1 - {_KEPT_COMMITS})
SELECT pg_notify('{CHANNEL}', $4)"""  # noqa: S608 - constants


class PostgresStore:
    def __init__(self, settings: PostgresSettings, registry: Registry, clock: Clock) -> None:
        """Raises CannotOpen if the settings cannot work."""
        self._database = Database(settings)
        self._registry = registry
        self._clock = clock
        self._commits = GroupCommit(self._write_batch)
        self._feed: ChangeFeed | None = None
        self._pool: Pool | None = None

    async def start(self, listener: StoreListener) -> None:
        """Raises CannotOpen if the schema is missing, too old or too new, or nobody may log in;
        Unavailable if the server does not answer."""
        feed = ChangeFeed(self._database, self._registry, listener)
        await feed.open()
        self._feed = feed
        self._pool = self._database.pool()
        await self._pool.open()

    async def commit(self, writes: Sequence[Write]) -> list[AnyResource]:
        """If it raises Unavailable, the writes may have been stored or not."""
        self._check_up()
        with self._database.translated():
            async with asyncio.timeout(self._database.timeout):
                return await self._commits.commit(writes)

    async def find(self, key: ResourceKey) -> AnyResource | None:
        found = await self._fetch(_ONE, *key)
        return read_row(found[0], self._registry) if found else None

    async def is_connected(self, instance: str) -> bool:
        """Whether that control plane has a connection to this database."""
        _, pool = self._check_up()
        async with pool.connection() as connection:
            found: bool = await connection.fetchval(_IS_CONNECTED, application_name(instance))
            return found

    async def close(self) -> None:
        """Writes that wait are finished first."""
        await self._commits.close()
        feed, self._feed = self._feed, None
        pool, self._pool = self._pool, None
        if feed is not None:
            await feed.close()
        if pool is not None:
            await pool.close()

    def _check_up(self) -> tuple[ChangeFeed, Pool]:
        if self._feed is None or self._pool is None:
            raise Unavailable("the store is closed")
        if self._feed.down is not None:
            raise Unavailable(self._feed.down)
        return self._feed, self._pool

    async def _fetch(self, query: str, *args: str) -> Sequence[Row]:
        _, pool = self._check_up()
        async with pool.connection() as connection:
            return [Row(*row) for row in await connection.fetch(query, *args)]

    async def _write_batch(self, batch: Batch) -> Sequence[Outcome]:
        feed, pool = self._check_up()
        try:
            async with pool.connection() as connection:
                outcomes, position = await self._transact(connection, batch, feed.instance)
                told = _told(outcomes)
                if told:
                    feed.announce(position + 1, told)
                    await feed.reached(position + len(told))
        except Unavailable:
            feed.doubt()
            raise
        return outcomes

    async def _transact(
        self, connection: Any, batch: Batch, instance: str
    ) -> tuple[Sequence[Outcome], int]:
        """The outcomes, and the number of the last commit before them. Whatever goes wrong ends
        the connection, and the transaction with it."""
        await connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        position: int = await connection.fetchval(_LOCK)
        stored = await _read_touched(connection, batch)
        transaction = Transaction(stored, self._clock.now())
        outcomes = plan(transaction, batch)
        told = _told(outcomes)
        if told:
            await _store(connection, transaction.net())
            numbers = range(position + 1, position + 1 + len(told))
            texts = [encode_changes(changes) for changes in told]
            await connection.execute(_LOG, numbers[-1], list(numbers), texts, instance)
        await connection.execute("COMMIT")
        return outcomes, position

    async def list(self, kind: str, mesh: str | None = None) -> list[AnyResource]:
        found = await (
            self._fetch(_KIND, kind) if mesh is None else self._fetch(_KIND_IN_MESH, kind, mesh)
        )
        return read_rows(found, self._registry)


class _Touched:
    """What was read of the resources that the writes name and of all that would go with them."""

    def __init__(self, rows: Iterable[Sequence[Any]]) -> None:
        self._held = {ResourceKey(*row[:3]): held_in(row[3:]) for row in rows}
        self._by_owner: dict[ResourceKey, set[ResourceKey]] = {}
        for key, held in self._held.items():
            if held.owner is not None:
                self._by_owner.setdefault(held.owner, set()).add(key)

    def find(self, key: ResourceKey) -> Held | None:
        return self._held.get(key)

    def owned_by(self, owner: ResourceKey) -> set[ResourceKey]:
        return self._by_owner.get(owner, set())


async def _read_touched(connection: Any, batch: Batch) -> _Touched:
    named: set[ResourceKey] = set()
    doomed: set[ResourceKey] = set()
    for write in (write for writes in batch for write in writes):
        if isinstance(write, Delete):
            doomed.add(write.key)
            continue
        named.add(write.resource.key)
        if isinstance(write, Create) and write.owner is not None:
            named.add(write.owner)
    return _Touched(await connection.fetch(_TOUCHED, *_columns(named), *_columns(doomed)))


async def _store(connection: Any, net: Net) -> None:
    if net.erased:
        await connection.execute(_ERASE, *_columns(net.erased))
    if net.written:
        rows = [row_of(entry) for entry in net.written]
        await connection.execute(_PUT, *([row[n] for row in rows] for n in range(len(COLUMNS))))


def _columns(keys: Iterable[ResourceKey]) -> tuple[list[str], list[str], list[str]]:
    listed = sorted(keys)
    return [k.kind for k in listed], [k.mesh for k in listed], [k.name for k in listed]


def _told(outcomes: Sequence[Outcome]) -> Sequence[Sequence[Change]]:
    return [each.changes for each in outcomes if isinstance(each, Commit) and each.changes]
