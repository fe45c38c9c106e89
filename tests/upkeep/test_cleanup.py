"""Dataplanes that are offline for longer than allowed are deleted, at their time."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest_asyncio

from kuma.kit.clock import Clock, SystemClock
from kuma.resources.kinds.dataplane import DATAPLANE
from kuma.resources.resource import AnyResource
from kuma.upkeep.cleanup import Cleanup
from tests.support.builders import a_dataplane, a_dataplane_insight, a_mesh
from tests.support.site import Site
from tests.upkeep.leader_job import AtWork

AGE = timedelta(hours=72)


class Work(AtWork):
    def __init__(self, site: Site, clock: Clock | None = None, age: timedelta = AGE) -> None:
        clock = clock or site.clock
        super().__init__(site, partial(Cleanup, site.replica, site.writer, clock, age=age))

    async def until_gone(self, name: str) -> None:
        await self.until(lambda: self.find(DATAPLANE, name) is None)


def an_insight(name: str, since: datetime | None) -> AnyResource:
    """`since` it is offline; None: it is online."""
    stream: dict[str, Any] = {"id": "1", "connectTime": "2025-01-01T00:00:00Z"}
    if since is not None:
        stream["disconnectTime"] = since.isoformat()
    return a_dataplane_insight(name, spec={"subscriptions": [stream]})


@pytest_asyncio.fixture
async def work(site: Site) -> AsyncIterator[Work]:
    now = site.clock.now()
    await site.create(a_mesh(), *(a_dataplane(n) for n in ("on", "new", "old")))
    await site.create(an_insight("on", None), an_insight("new", now - AGE + timedelta(hours=1)))
    await site.create(an_insight("old", now - AGE))
    made = Work(site)
    yield made
    await made.stop()


async def test_who_is_offline_for_too_long_is_deleted(work: Work) -> None:
    await work.until_gone("old")

    assert work.find(DATAPLANE, "on") is not None
    assert work.find(DATAPLANE, "new") is not None


async def test_who_is_due_meanwhile_is_deleted_after_a_restart(work: Work) -> None:
    await work.until_gone("old")
    await work.stop()
    work.site.clock.advance(timedelta(hours=1))
    work.start()

    await work.until_gone("new")
    assert work.find(DATAPLANE, "on") is not None


async def test_it_is_deleted_at_its_time_though_nothing_changes(site: Site) -> None:
    await site.create(a_mesh(), a_dataplane("one"), a_dataplane("two"))
    work = Work(site, SystemClock(), timedelta(milliseconds=300))
    try:
        await site.create(an_insight("one", SystemClock().now()), an_insight("two", None))

        await work.until_gone("one")
        assert work.find(DATAPLANE, "two") is not None
    finally:
        await work.stop()
