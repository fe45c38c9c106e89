"""Whatever is committed, the embedded store and the one in memory end in the same state, and say
the same to their callers and listeners."""

import asyncio
import tempfile
from collections.abc import Coroutine
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kuma.kit.clock import ManualClock
from kuma.resources.errors import ResourceError
from kuma.resources.meta import ResourceKey
from kuma.resources.resource import AnyResource
from kuma.resources.store import Create, Delete, Store, Update, Write
from kuma.stores.memory import MemoryStore
from kuma.stores.sqlite import SqliteStore
from tests.support.kinds import GARDEN, KINDS, LEAF, PLANT, PlantStatus, a_resource
from tests.support.listeners import Recorder

T = TypeVar("T")

names = st.sampled_from(["a", "b", "c"])
keys = st.builds(ResourceKey, st.sampled_from(["Plant", "Leaf"]), names, names) | st.builds(
    ResourceKey, st.just("Garden"), st.just(""), names
)
labels = st.dictionaries(st.text(max_size=3).filter(str.isprintable), st.just("x"), max_size=2)


@st.composite
def resources(draw: st.DrawFn) -> AnyResource:
    key = draw(keys)
    if key.kind == "Plant":
        status = draw(
            st.sampled_from([None, *(PlantStatus(is_thirsty=yes) for yes in (True, False))])
        )
        height = draw(st.integers(-9, 9))
        return a_resource(PLANT, key.name, mesh=key.mesh, status=status, height=height)
    kind = LEAF if key.kind == "Leaf" else GARDEN
    return a_resource(kind, key.name, mesh=key.mesh, labels=draw(labels))


writes = (
    st.builds(Create, resources(), st.none() | keys)
    | st.builds(Update, resources())
    | st.builds(Delete, keys)
)


class TwoStores(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = ManualClock()
        self.memory = MemoryStore(KINDS, self.clock)
        self.told = Recorder()
        self.run(self.memory.start(self.told))
        self.open()

    def open(self) -> None:
        self.sqlite = SqliteStore(Path(self.folder.name) / "kuma.db", KINDS, self.clock)
        self.told_by_sqlite = Recorder()
        self.run(self.sqlite.start(self.told_by_sqlite))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @rule(wanted=st.lists(writes, max_size=4), fresh=st.booleans())
    def commit(self, wanted: list[Write], fresh: bool) -> None:
        self.clock.advance(timedelta(microseconds=1))
        if fresh:
            wanted = [self.with_stored_version(write) for write in wanted]
        assert self.run(outcome(self.sqlite, wanted)) == self.run(outcome(self.memory, wanted))

    @rule(several=st.lists(st.lists(writes, min_size=1, max_size=2), max_size=4))
    def commit_together(self, several: list[list[Write]]) -> None:
        async def together(store: Store) -> list[object]:
            return await asyncio.gather(*(outcome(store, wanted) for wanted in several))

        assert self.run(together(self.sqlite)) == self.run(together(self.memory))

    @rule()
    def reopen(self) -> None:
        self.run(self.sqlite.close())
        self.open()

    @invariant()
    def states_are_equal(self) -> None:
        assert self.told_by_sqlite.state == self.told.state

    @invariant()
    def listeners_know_the_state(self) -> None:
        for kind in KINDS:
            known = sorted(key for key in self.told.state if key.kind == kind.name)
            for store in (self.memory, self.sqlite):
                listed = self.run(store.list(kind.name))
                assert listed == [self.told.state[key] for key in known]

    def teardown(self) -> None:
        self.run(self.sqlite.close())
        self.run(self.loop.shutdown_default_executor())
        self.loop.close()
        self.folder.cleanup()

    def with_stored_version(self, write: Write) -> Write:
        if not isinstance(write, Update):
            return write
        stored = self.told.state.get(write.resource.key)
        if stored is None:
            return write
        meta = replace(write.resource.meta, version=stored.meta.version)
        return Update(replace(write.resource, meta=meta))


async def outcome(store: Store, wanted: list[Write]) -> object:
    try:
        return await store.commit(wanted)
    except ResourceError as error:
        return type(error), str(error)


TestTwoStores = TwoStores.TestCase
TestTwoStores.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
