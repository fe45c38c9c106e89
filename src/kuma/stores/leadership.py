"""Which of several instances does the jobs that only one may do.

    campaign (wait for the lock) -> reign (lead() runs; heartbeat) -> lost -> lead() is cancelled -> campaign

With PostgreSQL the leader is who holds a session's advisory lock. Waiting instances block in the
server's queue; nobody polls. Three clocks make sure that one has stopped before another begins:

    the leader gives up      `heartbeat + 2 * answer` after its last question that was answered, at most
    the server ends its session, and with it the lock    `expiry` after that question, or later
    a lock table that a restart has emptied is trusted   once the server is older than the first span

So a leader that is cut off, or whose host is gone, or that hangs, loses the lock after `expiry`.

What is asked while the lock is held has no parameters, so that each question is one message: between
the messages of a prepared statement a session does not count as idle, and never expires.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from kuma.stores.postgres_connection import Connection, Database, PostgresSettings

log = structlog.get_logger(__name__)

Lead = Callable[[], Awaitable[None]]

_LOCK = 0x6B756D61_6C656164
"""The key of an advisory lock: "kumalead"."""


class Leadership(Protocol):
    @property
    def is_leader(self) -> bool: ...

    async def run(self, lead: Lead) -> None:
        """Run `lead()` whenever this instance is the leader and cancel it when it no longer is,
        until cancelled. A `lead` that fails is called again after a pause; one that returns has
        done its work for as long as this instance leads."""


class AlwaysLeader:
    """For stores that one process has to itself."""

    def __init__(self) -> None:
        self.is_leader = False

    async def run(self, lead: Lead) -> None:
        self.is_leader = True
        try:
            await _keep_leading(lead)
        finally:
            self.is_leader = False


@dataclass(frozen=True)
class Pace:
    heartbeat: timedelta = timedelta(seconds=2)
    answer: timedelta = timedelta(seconds=1.5)
    expiry: timedelta = timedelta(seconds=10)

    @property
    def surrender(self) -> timedelta:
        """The longest time for which a leader without the database goes on."""
        return self.heartbeat + 2 * self.answer


class PostgresLeadership:
    def __init__(self, settings: PostgresSettings, pace: Pace = Pace()) -> None:
        self.is_leader = False
        self._database = Database(settings)
        self._pace = pace

    async def run(self, lead: Lead) -> None:
        while True:
            connection = await self._campaign()
            try:
                await self._reign(connection, lead)
            finally:
                connection.terminate()

    async def _campaign(self) -> Connection:
        """The connection that holds the lock, however long that takes."""
        attempts = AsyncRetrying(
            retry=retry_if_exception_type(Exception),
            wait=wait_random_exponential(multiplier=0.1, max=2),
            before_sleep=lambda state: log.warning(
                "cannot take part in the election of a leader",
                attempt=state.attempt_number,
                error=str(state.outcome and state.outcome.exception()),
            ),
        )
        connection: Connection = await attempts(self._elected)
        return connection

    async def _elected(self) -> Connection:
        connection = await self._database.connect()
        try:
            with self._database.translated():
                await connection.execute(f"SET idle_session_timeout = {_millis(self._pace.expiry)}")
                await self._outlive_the_leader_before(connection)
                await connection.execute(f"SELECT pg_advisory_lock({_LOCK})")
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def _outlive_the_leader_before(self, connection: Connection) -> None:
        """After a restart the server has forgotten who leads; that one may not know it yet."""
        age = await connection.fetchval(
            "SELECT extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::float8"
        )
        await asyncio.sleep(max(0.0, self._pace.surrender.total_seconds() - age))

    async def _reign(self, connection: Connection, lead: Lead) -> None:
        log.info("this instance leads")
        self.is_leader = True
        leading = asyncio.create_task(_keep_leading(lead), name="leader")
        try:
            await self._hold(connection)
        finally:
            self.is_leader = False
            leading.cancel()
            await asyncio.wait({leading})
            log.info("this instance no longer leads")

    async def _hold(self, connection: Connection) -> None:
        """Return when the lock is lost, or may be lost before the next look."""
        ended = asyncio.Event()
        connection.add_termination_listener(lambda _connection: ended.set())
        while not ended.is_set() and await self._is_answered(connection):
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace.heartbeat.total_seconds()):
                    await ended.wait()

    async def _is_answered(self, connection: Any) -> bool:
        try:
            await connection.execute("SELECT 1", timeout=self._pace.answer.total_seconds())
        except Exception as error:
            log.warning("the leader cannot reach the database", error=str(error))
            return False
        return True


async def _keep_leading(lead: Lead) -> None:
    attempts = AsyncRetrying(
        retry=retry_if_exception_type(Exception),
        wait=wait_random_exponential(multiplier=0.5, max=30),
        before_sleep=lambda state: log.error(
            "the leader's jobs failed and are started again",
            attempt=state.attempt_number,
            exc_info=state.outcome and state.outcome.exception(),
        ),
    )

    async def once() -> None:
        await lead()

    await attempts(once)
    await asyncio.Event().wait()


def _millis(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
