"""Small work is done at once, large work in a thread, one after another."""

import asyncio
import threading

from kuma.kit import aside


async def test_small_work_stays_and_large_work_goes_to_one_thread() -> None:
    here = threading.get_ident()
    assert await aside.work(aside.LARGE, threading.get_ident) == here
    found = [aside.work(aside.LARGE + 1, threading.get_ident) for _ in range(3)]
    there = set(await asyncio.gather(*found))
    assert len(there) == 1
    assert here not in there
