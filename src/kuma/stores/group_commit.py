"""Commits that wait at the same time are written together, by one writer, in order of arrival.

    commit ─┐
    commit ─┼─ waiting ── one batch ──> write(batch) ──> outcome of each ──> its caller
    commit ─┘

A transaction costs a disk flush or several round trips however much it carries, so a batch costs
about what one commit costs. Stands between a store's `commit` and its database.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from kuma.resources.errors import ResourceError, Unavailable
from kuma.resources.resource import AnyResource
from kuma.resources.store import Write
from kuma.stores.transaction import Commit, Transaction

Outcome = Commit | Exception
Batch = Sequence[Sequence[Write]]

_LARGEST = 256
"""Commits in a batch: bounds how long a transaction takes and how much is lost with it."""


def plan(transaction: Transaction, batch: Batch) -> list[Outcome]:
    """Let each commit of the batch succeed or fail on its own."""
    return [_attempt(transaction, writes) for writes in batch]


def _attempt(transaction: Transaction, writes: Sequence[Write]) -> Outcome:
    try:
        return transaction.commit(writes)
    except ResourceError as error:
        return error


class GroupCommit:
    """`write` makes the batch durable, tells the listener and returns an outcome for each commit."""

    def __init__(self, write: Callable[[Batch], Awaitable[Sequence[Outcome]]]) -> None:
        self._write = write
        self._waiting: list[tuple[Sequence[Write], asyncio.Future[list[AnyResource]]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._closed = False

    async def commit(self, writes: Sequence[Write]) -> list[AnyResource]:
        if self._closed:
            raise Unavailable("the store is closed")
        future: asyncio.Future[list[AnyResource]] = asyncio.get_running_loop().create_future()
        self._waiting.append((writes, future))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all(), name="store-writer")
        return await future

    async def close(self) -> None:
        """Refuse new commits and finish those that wait."""
        self._closed = True
        if self._writer is not None:
            await asyncio.wait({self._writer})

    async def _write_all(self) -> None:
        while self._waiting:
            batch = [pair for pair in self._waiting[:_LARGEST] if not pair[1].done()]
            del self._waiting[:_LARGEST]
            outcomes = await self._outcomes([writes for writes, _ in batch]) if batch else []
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                _settle(future, outcome)
        self._writer = None

    async def _outcomes(self, batch: Batch) -> Sequence[Outcome]:
        """What one commit does wrong must not cost the others, so a batch that the database
        refuses is tried again commit by commit. Not so if it does not answer at all."""
        try:
            return await self._write(batch)
        except Unavailable as error:
            return [_again(error) for _ in batch]
        except Exception as error:
            if len(batch) == 1:
                return [error]
            return [(await self._outcomes([writes]))[0] for writes in batch]


def _again(error: Unavailable) -> Unavailable:
    """Its own exception for each caller: a shared one would collect all their tracebacks."""
    copy = Unavailable(error.reason)
    copy.__cause__ = error
    return copy


def _settle(future: "asyncio.Future[list[AnyResource]]", outcome: Outcome) -> None:
    with suppress(asyncio.InvalidStateError):  # its caller was cancelled meanwhile
        if isinstance(outcome, Commit):
            future.set_result(outcome.stored)
        else:
            future.set_exception(outcome)
