"""At most one instance leads, and another takes over when it dies, hangs or loses the database."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from kuma.stores.leadership import AlwaysLeader, Leadership, Pace, PostgresLeadership
from kuma.stores.postgres_connection import PostgresSettings
from tests.support.postgres import PostgresServer

ROOT = Path(__file__).parents[2]
PATIENCE = 20.0

QUICK = Pace(
    heartbeat=timedelta(seconds=0.2),
    answer=timedelta(seconds=0.3),
    expiry=timedelta(seconds=1.5),
)

CANDIDATE = """
import asyncio, sys
from datetime import timedelta
from kuma.stores.leadership import Pace, PostgresLeadership
from kuma.stores.postgres_connection import PostgresSettings

async def lead():
    print("leads", flush=True)
    await asyncio.Event().wait()

async def main():
    host, port, user, db_name, *spans = sys.argv[1:]
    settings = PostgresSettings(host=host, port=int(port), user=user, db_name=db_name)
    pace = Pace(*(timedelta(seconds=float(span)) for span in spans))
    await PostgresLeadership(settings, pace).run(lead)

asyncio.run(main())
"""


@dataclass
class Candidate:
    """Counts how often it led, and lets a test wait for it."""

    name: str
    terms: int = 0
    leads: bool = False
    stopped_at: float = 0.0
    began_at: float = 0.0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def lead(self) -> None:
        self.terms += 1
        self.leads = True
        self.began_at = time.monotonic()
        self.changed.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.leads = False
            self.stopped_at = time.monotonic()
            self.changed.set()

    async def until(self, condition: Callable[["Candidate"], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition(self):
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
async def settings(postgres: PostgresServer) -> PostgresSettings:
    return await postgres.new_database(migrated=False)


class Race:
    """Candidates that run until the test ends."""

    def __init__(self, settings: PostgresSettings) -> None:
        self._settings = settings
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def enter(self, name: str) -> Candidate:
        candidate = Candidate(name)
        leadership = PostgresLeadership(self._settings, QUICK)
        self._tasks[name] = asyncio.create_task(leadership.run(candidate.lead))
        return candidate

    async def retire(self, candidate: Candidate) -> None:
        task = self._tasks.pop(candidate.name)
        task.cancel()
        await asyncio.wait({task})

    async def end(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values())


@pytest.fixture
async def race(settings: PostgresSettings) -> AsyncIterator[Race]:
    race = Race(settings)
    yield race
    await race.end()


def a_process(settings: PostgresSettings, pace: Pace) -> "subprocess.Popen[str]":
    spans = (pace.heartbeat, pace.answer, pace.expiry)
    where = (settings.host, str(settings.port), settings.user, settings.db_name)
    return subprocess.Popen(
        [sys.executable, "-c", CANDIDATE, *where, *(str(s.total_seconds()) for s in spans)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
    )


async def led(process: "subprocess.Popen[str]") -> None:
    assert process.stdout is not None
    while line := await asyncio.to_thread(process.stdout.readline):
        if line.strip() == "leads":
            return
    raise AssertionError("the candidate ended")


async def test_one_of_many_leads_and_the_next_takes_over_when_it_retires(race: Race) -> None:
    first = race.enter("first")
    await first.until(lambda c: c.leads)
    others = [race.enter(f"other-{number}") for number in range(3)]
    await asyncio.sleep(0.5)
    assert not any(other.terms for other in others)

    await race.retire(first)

    assert not first.leads
    waits = [asyncio.create_task(other.until(lambda c: c.leads)) for other in others]
    _, losers = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for loser in losers:
        loser.cancel()
    assert [other.leads for other in others].count(True) == 1
    assert min(other.began_at for other in others if other.leads) >= first.stopped_at


async def test_another_takes_over_at_once_when_the_leader_is_killed(
    race: Race, settings: PostgresSettings
) -> None:
    leader = a_process(settings, QUICK)
    await led(leader)
    heir = race.enter("heir")
    await asyncio.sleep(0.3)
    assert heir.terms == 0

    killed_at = time.monotonic()
    leader.kill()
    leader.communicate()

    await heir.until(lambda c: c.leads)
    assert heir.began_at - killed_at < QUICK.expiry.total_seconds()


async def test_another_takes_over_when_the_leader_hangs(
    race: Race, settings: PostgresSettings
) -> None:
    leader = a_process(settings, QUICK)
    await led(leader)
    heir = race.enter("heir")

    leader.send_signal(signal.SIGSTOP)
    hung_at = time.monotonic()
    try:
        await heir.until(lambda c: c.leads)
    finally:
        leader.kill()
        leader.communicate()

    assert heir.began_at - hung_at > QUICK.surrender.total_seconds()


async def test_a_leader_that_cannot_reach_the_database_stops_before_another_begins(
    race: Race, outage: PostgresServer
) -> None:
    """The server's restart forgets the lock; the heir waits until any leader before has noticed."""
    first = race.enter("first")
    await first.until(lambda c: c.leads)
    second = race.enter("second")
    stopped_at = time.monotonic()

    await asyncio.to_thread(outage.stop, "immediate")
    await first.until(lambda c: not c.leads)
    assert first.stopped_at - stopped_at < QUICK.surrender.total_seconds()
    restarted_at = time.monotonic()
    await asyncio.to_thread(outage.start)

    async with asyncio.timeout(PATIENCE):
        while not (first.leads or second.leads):
            await asyncio.wait(
                [asyncio.create_task(each.changed.wait()) for each in (first, second)],
                return_when=asyncio.FIRST_COMPLETED,
            )
    began_at = max(first.began_at, second.began_at)
    assert began_at - restarted_at > QUICK.surrender.total_seconds() / 2
    assert first.leads is not second.leads


async def test_a_leader_whose_server_is_silent_gives_up(race: Race, outage: PostgresServer) -> None:
    first = race.enter("first")
    await first.until(lambda c: c.leads)
    await asyncio.sleep(0.3)
    pids = _backends(outage)
    silent_at = time.monotonic()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        await first.until(lambda c: not c.leads)
        spent = first.stopped_at - silent_at
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)

    assert spent < QUICK.surrender.total_seconds() + 0.5
    await first.until(lambda c: c.leads)
    assert first.terms == 2


def test_the_pace_lets_a_leader_stop_before_its_session_ends_and_keeps_the_promise() -> None:
    pace = Pace()

    assert pace.surrender + timedelta(seconds=4) <= pace.expiry
    assert pace.expiry + pace.surrender <= timedelta(seconds=15)


@pytest.fixture(params=["always", "postgres"])
async def leadership(request: pytest.FixtureRequest) -> Leadership:
    if request.param == "always":
        return AlwaysLeader()
    server: PostgresServer = request.getfixturevalue("postgres")
    return PostgresLeadership(await server.new_database(migrated=False), QUICK)


async def test_jobs_that_fail_are_started_again(leadership: Leadership) -> None:
    calls: list[bool] = []
    again = asyncio.Event()

    async def lead() -> None:
        calls.append(leadership.is_leader)
        if len(calls) < 2:
            raise RuntimeError("a job failed")
        again.set()

    run = asyncio.create_task(leadership.run(lead))
    async with asyncio.timeout(PATIENCE):
        await again.wait()
    await asyncio.sleep(0.1)
    assert leadership.is_leader
    run.cancel()
    await asyncio.wait({run})

    assert calls == [True, True]
    assert not leadership.is_leader


async def test_cancelling_cancels_the_jobs(leadership: Leadership) -> None:
    candidate = Candidate("only")
    run = asyncio.create_task(leadership.run(candidate.lead))
    await candidate.until(lambda c: c.leads)

    run.cancel()
    await asyncio.wait({run})

    assert run.cancelled()
    assert not candidate.leads


def _backends(server: PostgresServer) -> list[int]:
    """The server's processes, the children of the postmaster."""
    children = Path(f"/proc/{server.postmaster}/task/{server.postmaster}/children")
    return [server.postmaster, *map(int, children.read_text().split())]
