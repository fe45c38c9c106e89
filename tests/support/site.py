"""A store in memory with its replica, and a clock that stands still."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest_asyncio

from kuma.kit.clock import ManualClock
from kuma.policies.catalogue import REGISTRY
from kuma.resources.replica import Replica
from kuma.resources.resource import AnyResource
from kuma.resources.store import Create
from kuma.resources.writer import Writer
from kuma.stores.memory import MemoryStore


@dataclass
class Site:
    store: MemoryStore
    replica: Replica
    clock: ManualClock
    writer: Writer

    async def create(self, *resources: AnyResource) -> None:
        await self.store.commit([Create(each) for each in resources])


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Site]:
    clock, replica = ManualClock(), Replica()
    store = MemoryStore(REGISTRY, clock)
    await store.start(replica)
    yield Site(store, replica, clock, Writer(store, replica, REGISTRY, clock, zone="default"))
    await store.close()
