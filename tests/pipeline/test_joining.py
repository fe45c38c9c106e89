"""When a proxy that has just come is taken for ready."""

import asyncio
from datetime import timedelta

from kuma.envoy.snapshot import EnvoyResource, Snapshot, TypeUrl
from kuma.pipeline.joining import Joining

LONG = timedelta(hours=1)


def a_snapshot(*kinds: TypeUrl) -> Snapshot:
    return Snapshot({kind: {"a": EnvoyResource(kind, "a", "1", b"body")} for kind in kinds})


async def test_every_type_of_the_first_snapshot_must_be_acknowledged() -> None:
    told: list[str] = []
    joining = Joining(lambda: told.append("joined"), patience=LONG)
    joining.acknowledged(TypeUrl.LISTENER)
    joining.configured(a_snapshot(TypeUrl.LISTENER, TypeUrl.SECRET))
    joining.configured(a_snapshot(TypeUrl.CLUSTER))

    joining.acknowledged(TypeUrl.SECRET)
    assert told == []
    joining.acknowledged(TypeUrl.LISTENER)
    assert told == ["joined"]
    joining.acknowledged(TypeUrl.LISTENER)
    assert told == ["joined"]


async def test_patience_ends() -> None:
    joined = asyncio.Event()
    joining = Joining(joined.set, patience=timedelta(milliseconds=10))
    joining.configured(a_snapshot(TypeUrl.LISTENER))

    async with asyncio.timeout(30):
        await joined.wait()


async def test_one_that_has_joined_is_not_told_again_when_patience_ends() -> None:
    told: list[str] = []
    joining = Joining(lambda: told.append("joined"), patience=timedelta(milliseconds=1))
    joining.configured(a_snapshot(TypeUrl.LISTENER))
    joining.acknowledged(TypeUrl.LISTENER)
    later = asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, later.set)
    await later.wait()
    assert told == ["joined"]


async def test_one_that_is_cancelled_tells_nothing() -> None:
    told: list[str] = []
    joining = Joining(lambda: told.append("joined"), patience=LONG)
    joining.configured(a_snapshot(TypeUrl.LISTENER))

    joining.cancel()
    joining.acknowledged(TypeUrl.LISTENER)

    assert told == []
