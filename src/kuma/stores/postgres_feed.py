"""What every instance on one PostgreSQL learns, in commit order: the follower of the commit log.

    kuma_commit (seq without gaps) ── NOTIFY: "there is more" ──> read from where we are ──> listener
    own commits ── announced, if they are next ───────────────────────────────────────────> listener

A notification only wakes the reader, so none can be lost to harm: what is told comes from the log,
by number. If the log no longer reaches back to where we are, or the connection was lost, everything
is read anew (`resynced`). Nothing polls; a heartbeat notices a server that stopped answering.
"""

import asyncio
import json
import secrets
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from kuma.resources.errors import Unavailable
from kuma.resources.meta import ResourceKey
from kuma.resources.registry import Registry
from kuma.resources.store import Change, StoreListener
from kuma.stores.postgres_connection import Connection, Database
from kuma.stores.postgres_schema import check_schema
from kuma.stores.rows import COLUMNS, Row, read_row, read_rows, row_of
from kuma.stores.transaction import Owned

log = structlog.get_logger(__name__)

CHANNEL = "kuma_commit"

_PAGE = 512
"""Commits read from the log at a time."""

_LOAD_TIMEOUT = 60.0
"""Reading everything may take longer than one answer, but not for ever."""

_ALL = f"SELECT {', '.join(COLUMNS)} FROM kuma_resource"  # noqa: S608 - names of columns, no input
_AFTER = f"SELECT seq, changes FROM kuma_commit WHERE seq > $1 ORDER BY seq LIMIT {_PAGE}"  # noqa: S608


class ChangeFeed:
    def __init__(self, database: Database, registry: Registry, listener: StoreListener) -> None:
        self.instance = secrets.token_hex(8)
        self.down: str | None = "the store has not been opened"
        self._database = database
        self._registry = registry
        self._listener = listener
        self._position: int | None = None
        self._wake = asyncio.Event()
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Load everything and begin to follow. Raises Unavailable."""
        connection = await self._session()
        self._task = asyncio.create_task(self._run(connection), name="store-feed")

    async def close(self) -> None:
        self.down = "the store is closed"
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def announce(self, first: int, commits: Sequence[Sequence[Change]]) -> None:
        """Own commits, numbered from `first`: told at once, unless others come before them."""
        if self._position == first - 1:
            for seq, changes in enumerate(commits, start=first):
                self._advance(seq, changes)
        else:
            self.look()

    def look(self) -> None:
        """Read the log now: there is more, or the server may be gone."""
        self._wake.set()

    def doubt(self) -> None:
        """A write may or may not have been stored, or may yet be: its notification, if one comes,
        counts as somebody else's, and the server is asked whether it is there at all."""
        self.instance = secrets.token_hex(8)
        self.look()

    async def reached(self, seq: int) -> None:
        """Wait until the commit of that number has been told."""
        if self._position is not None and self._position >= seq:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((seq, future))
        await future

    async def _run(self, connection: Connection) -> None:
        while True:
            try:
                await self._follow(connection)
            except Unavailable as error:
                self._lose(error.reason)
            except Exception as error:
                log.exception("the feed of changes failed and is opened anew")
                self._lose(f"{self._database.name}: {error}")
            finally:
                connection.terminate()
            connection = await self._reconnected()

    async def _follow(self, connection: Connection) -> None:
        """Until the connection is lost, which raises Unavailable."""
        heartbeat = self._database.settings.heartbeat.total_seconds()
        with self._database.translated():
            while True:
                if not await self._read_log(connection):
                    await self._load(connection)
                    continue
                with suppress(TimeoutError):
                    async with asyncio.timeout(heartbeat):
                        await self._wake.wait()

    async def _read_log(self, connection: Connection) -> bool:
        """Tell what is new. False: the log does not reach back to where we are."""
        while True:
            self._wake.clear()
            rows = await connection.fetch(_AFTER, self._position, timeout=self._database.timeout)
            for seq, changes in rows:
                if seq <= (self._position or 0):
                    continue  # announced while the log was read
                if seq != (self._position or 0) + 1:
                    return False
                self._advance(seq, decode_changes(changes, self._registry))
            if len(rows) < _PAGE:
                return True

    async def _load(self, connection: Connection) -> None:
        """Everything, and the number of the last commit in it, as of one moment."""
        self._position = None
        async with asyncio.timeout(_LOAD_TIMEOUT):
            await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            position = await connection.fetchval("SELECT seq FROM kuma_position")
            rows = await connection.fetch(_ALL)
            await connection.execute("COMMIT")
        found = await asyncio.to_thread(read_rows, [Row(*row) for row in rows], self._registry)
        self._position = position
        self.down = None
        self._listener.resynced(found)
        self._release(position)

    async def _session(self) -> Connection:
        connection = await self._database.connect()
        try:
            with self._database.translated():
                async with asyncio.timeout(self._database.timeout):
                    await check_schema(connection, self._database)
                    await connection.add_listener(CHANNEL, self._notified)
                connection.add_termination_listener(lambda _connection: self.look())
                await self._load(connection)
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def _reconnected(self) -> Connection:
        attempts = AsyncRetrying(
            retry=retry_if_exception_type(Exception),
            wait=wait_random_exponential(multiplier=0.1, max=3),
            before_sleep=lambda state: log.warning(
                "the database is still unavailable",
                attempt=state.attempt_number,
                error=str(state.outcome and state.outcome.exception()),
            ),
        )
        connection: Connection = await attempts(self._session)
        log.info("the database is available again", database=self._database.name)
        return connection

    def _lose(self, reason: str) -> None:
        self._position = None
        if self.down is None:
            self.down = reason
            log.warning("the database is unavailable", error=reason)
            self._listener.unavailable(reason)

    def _notified(self, _connection: object, _pid: int, _channel: str, sender: str) -> None:
        if sender != self.instance:
            self.look()

    def _advance(self, seq: int, changes: Sequence[Change]) -> None:
        self._position = seq
        self._listener.changed(changes)
        self._release(seq)

    def _release(self, reached: int) -> None:
        for seq, future in self._waiting:
            if seq <= reached and not future.done():
                future.set_result(None)
        self._waiting = [pair for pair in self._waiting if not pair[1].done()]


def encode_changes(changes: Sequence[Change]) -> str:
    """The form in the log: [[kind, mesh, name], row or null], ... Owners are no news to readers."""
    return json.dumps(
        [
            [each.key, None if each.resource is None else row_of(Owned(each.resource, None))]
            for each in changes
        ],
        ensure_ascii=False,
    )


def decode_changes(text: str, registry: Registry) -> list[Change]:
    """Without resources that this version cannot read."""
    changes: list[Change] = []
    entries: list[tuple[list[Any], list[Any] | None]] = json.loads(text)
    for key, row in entries:
        if row is None:
            changes.append(Change(ResourceKey(*key), None))
        elif (resource := read_row(Row(*row), registry)) is not None:
            changes.append(Change(resource.key, resource))
    return changes
