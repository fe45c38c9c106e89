"""A thousand sessions do not hold up the loop, and none is forgotten."""

import asyncio
from collections.abc import Callable
from itertools import pairwise
from time import monotonic

from kuma.xds.pump import Pump


class Work:
    def __init__(self, done: Callable[["Work"], None], *, seconds: float = 0) -> None:
        self.is_queued = False
        self.pushes = 0
        self._done = done
        self._seconds = seconds

    def push(self) -> None:
        end = monotonic() + self._seconds
        while monotonic() < end:
            pass
        self.pushes += 1
        self._done(self)


async def test_each_is_pushed_once_however_often_it_is_added() -> None:
    order: list[Work] = []
    all_done = asyncio.Event()

    def done(work: Work) -> None:
        order.append(work)
        if len(order) == 3:
            all_done.set()

    pump, works = Pump(), [Work(done) for _ in range(3)]
    for work in [*works, *works]:
        pump.add(work)
    assert order == []
    await all_done.wait()
    assert order == works


async def test_the_loop_runs_between_slices() -> None:
    all_done = asyncio.Event()
    turns: list[int] = []
    works: list[Work] = []

    def done(_: Work) -> None:
        if all(work.pushes for work in works):
            all_done.set()

    def turn() -> None:
        turns.append(sum(work.pushes for work in works))
        if not all_done.is_set():
            asyncio.get_running_loop().call_soon(turn)

    works += [Work(done, seconds=0.001) for _ in range(30)]
    pump = Pump(slice_seconds=0.002)
    for work in works:
        pump.add(work)
    turn()
    await all_done.wait()
    steps = [after - before for before, after in pairwise(turns)]
    assert max(steps) <= 3


async def test_what_is_added_while_pushing_is_pushed_later() -> None:
    pump = Pump()
    twice = asyncio.Event()

    def again(work: Work) -> None:
        if work.pushes < 2:
            pump.add(work)
        else:
            twice.set()

    pump.add(Work(again))
    await twice.wait()
