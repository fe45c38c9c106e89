"""Proxies are brought up to date in turn: meshes alternate, long work is done bit by bit."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from kuma.envoy.snapshot import Snapshot
from kuma.kit.incremental import Engine
from kuma.pipeline.fanout import SLICE, Fanout, ProxyKey


@dataclass(frozen=True)
class Outcome:
    snapshot: Snapshot
    number: int


class World:
    """Each proxy's outcome reads the input `all` and takes `seconds` of work, and `steps` before it
    unless the proxy is called quick."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.engine = Engine()
        self.seconds = seconds
        self.order: list[ProxyKey] = []
        self.fanout: Fanout[Outcome] = Fanout(
            self.engine, self.outcome, lambda *_: False, self.ahead
        )
        self.steps = 0

    def outcome(self, key: ProxyKey) -> Outcome:
        number = self.engine.read("all") or 0
        if number < 0:
            raise ValueError(number)
        spend(self.seconds)
        self.order.append(key)
        return Outcome(Snapshot({}), number)

    def ahead(self, key: ProxyKey) -> Iterator[None]:
        for _ in range(0 if key.name == "quick" else self.steps):
            spend(SLICE / 4)
            yield

    @asynccontextmanager
    async def running(self) -> Any:
        task = asyncio.create_task(self.fanout.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def spend(seconds: float) -> None:
    end = perf_counter() + seconds
    while perf_counter() < end:
        pass


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0)


async def test_a_small_mesh_does_not_wait_for_a_large_one() -> None:
    world = World(seconds=SLICE / 2)
    for number in range(20):
        world.fanout.attach(ProxyKey("large", f"{number}"), lambda _: None)
    world.fanout.attach(ProxyKey("small", "1"), lambda _: None)
    async with world.running():
        await until(lambda: len(world.order) == 21)
    assert world.order.index(ProxyKey("small", "1")) < 5


async def test_work_that_takes_long_lets_others_have_their_turn() -> None:
    world, turns = World(), 0
    world.steps = 40
    world.fanout.attach(ProxyKey("mesh", "1"), lambda _: None)
    async with world.running():
        while not world.order:
            turns += 1
            await asyncio.sleep(0)
    assert turns > 5


async def test_others_of_the_mesh_are_served_while_one_takes_long() -> None:
    world = World()
    world.steps = 40
    for name in ("slow", "quick"):
        world.fanout.attach(ProxyKey("mesh", name), lambda _: None)
    async with world.running():
        await until(lambda: len(world.order) == 2)
    assert [each.name for each in world.order] == ["quick", "slow"]


async def test_a_proxy_that_leaves_meanwhile_costs_nothing_more() -> None:
    world, got = World(), []
    world.steps = 40
    leave = world.fanout.attach(ProxyKey("mesh", "1"), got.append)
    async with world.running():
        for _ in range(3):
            await asyncio.sleep(0)
        leave()
        world.fanout.attach(ProxyKey("mesh", "2"), got.append)
        await until(lambda: bool(world.order))
    assert world.order == [ProxyKey("mesh", "2")]
    assert len(got) == 1


async def test_a_proxy_whose_configuration_fails_keeps_its_last_one() -> None:
    world, got = World(), []
    world.fanout.attach(ProxyKey("mesh", "1"), got.append)
    async with world.running():
        await until(lambda: len(got) == 1)
        world.engine.set("all", -1)
        await until(lambda: not world.fanout._queues)
        await asyncio.sleep(0)
        world.fanout.attach(ProxyKey("mesh", "1"), got.append)
        world.engine.set("all", 1)
        await until(lambda: len(got) == 3)
    assert got[0] == got[1] == got[2]
