"""What a job of the leader looks at: soon, once for many changes, again at its time or after a failure."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta

import pytest
import pytest_asyncio

from kuma.resources.errors import (
    AlreadyExists,
    Conflict,
    MeshNotFound,
    NotFound,
    ResourceError,
    Unavailable,
)
from kuma.resources.kinds.dataplane import DATAPLANE
from kuma.resources.kinds.mesh import MESH
from kuma.resources.meta import ResourceKey
from kuma.resources.store import Change
from kuma.upkeep import agenda
from kuma.upkeep.agenda import Agenda
from tests.support.builders import a_dataplane, a_mesh
from tests.support.site import Site
from tests.upkeep.leader_job import AtWork

KEY = ResourceKey(MESH.name, "", "default")
SOON = timedelta(milliseconds=20)


class Job:
    """Looks at meshes when their Dataplanes change; `does` is what becomes of it."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.agenda = Agenda[str]("test")
        self.looks: list[str] = []
        self.does: Callable[[str], None] = lambda _: None
        self._looked = asyncio.Event()

    async def run(self) -> None:
        await self.agenda.run(self._site.replica, {DATAPLANE.name: _mesh_of}, self._keep)

    async def until(self, looks: int) -> None:
        async with asyncio.timeout(30):
            while len(self.looks) < looks:
                self._looked.clear()
                await self._looked.wait()

    async def _keep(self, mesh: str) -> None:
        self.looks.append(mesh)
        self._looked.set()
        self.does(mesh)


def _mesh_of(change: Change) -> Iterator[str]:
    yield change.key.mesh


def raising(*errors: ResourceError) -> Callable[[str], None]:
    """One after the other, then none."""
    left = iter(errors)

    def does(_: str) -> None:
        for error in left:
            raise error

    return does


@pytest_asyncio.fixture
async def job(site: Site) -> AsyncIterator[Job]:
    await site.create(a_mesh(), a_mesh("other"), a_dataplane("first"))
    job = Job(site)
    work = AtWork(site, lambda: job)
    await job.until(looks=1)
    yield job
    await work.stop()


async def test_a_burst_is_looked_at_a_few_times(job: Job, site: Site) -> None:
    for each in range(1000):
        await site.create(a_dataplane(f"one-{each}"))
    await site.create(a_dataplane("last", mesh="other"))

    async with asyncio.timeout(30):
        while "other" not in job.looks:
            await job.until(len(job.looks) + 1)
    assert len(job.looks) < 50


async def test_changes_of_other_kinds_are_not_looked_at(job: Job, site: Site) -> None:
    await site.create(a_mesh("another"))
    await site.create(a_dataplane("last", mesh="other"))

    await job.until(looks=2)
    assert job.looks == ["default", "other"]


@pytest.mark.parametrize("error", [Unavailable("the store is away"), MeshNotFound("default")])
async def test_a_failure_is_tried_again_later(
    job: Job, site: Site, monkeypatch: pytest.MonkeyPatch, error: ResourceError
) -> None:
    monkeypatch.setattr(agenda, "RETRY", SOON)
    job.does = raising(error, error)
    await site.create(a_dataplane("second"))

    await job.until(looks=4)
    assert job.looks == ["default"] * 4


async def test_who_fails_holds_up_nobody(job: Job, site: Site) -> None:
    job.does = raising(Unavailable("the store is away"))
    await site.create(a_dataplane("second"), a_dataplane("third", mesh="other"))

    await job.until(looks=3)
    assert job.looks == ["default", "default", "other"]


@pytest.mark.parametrize("error", [Conflict(KEY), AlreadyExists(KEY)])
async def test_after_a_write_of_somebody_else_it_is_looked_at_anew_at_once(
    job: Job, site: Site, error: ResourceError
) -> None:
    """Long before a failure would be tried again: `until` waits no longer than that."""
    job.does = raising(error)
    started = asyncio.get_running_loop().time()
    await site.create(a_dataplane("second"))

    await job.until(looks=3)
    assert asyncio.get_running_loop().time() - started < agenda.RETRY.total_seconds()


async def test_what_is_gone_is_not_looked_at_again(job: Job, site: Site) -> None:
    job.does = raising(NotFound(KEY))
    await site.create(a_dataplane("second"))
    await job.until(looks=2)
    await site.create(a_dataplane("third", mesh="other"))

    await job.until(looks=3)
    assert job.looks == ["default", "default", "other"]


async def test_a_thing_is_looked_at_when_its_time_comes(job: Job) -> None:
    job.agenda.add_later("default", SOON)

    await job.until(looks=2)


async def test_a_look_before_its_time_ends_the_wait(job: Job, site: Site) -> None:
    job.agenda.add_later("default", SOON * 10)
    await site.create(a_dataplane("second"))
    await job.until(looks=2)
    job.agenda.add_later("other", SOON * 20)

    await job.until(looks=3)
    assert job.looks == ["default", "default", "other"]
