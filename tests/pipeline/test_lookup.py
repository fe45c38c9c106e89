"""Names as addresses of dataplanes: looked up apart, kept, and looked up again."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta

import pytest
import pytest_asyncio

from kuma.pipeline import lookup
from kuma.pipeline.lookup import AddressLookup, DnsNames
from kuma.resources.kinds.dataplane import DataplaneSpec
from kuma.resources.resource import AnyResource
from kuma.resources.store import Change
from tests.support.builders import a_dataplane, a_mesh


class Dns:
    """Answers what it was told, and waits where it was told nothing."""

    def __init__(self) -> None:
        self.answers: dict[str, list[str] | OSError] = {}
        self.asked: list[str] = []
        self._news = asyncio.Event()

    def say(self, name: str, *addresses: str) -> None:
        self.answers[name] = list(addresses)
        self._wake()

    def fail(self, name: str) -> None:
        self.answers[name] = socket.gaierror(-2, "Name or service not known")
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def resolve(self, name: str) -> Sequence[str]:
        self.asked.append(name)
        while name not in self.answers:
            await self._news.wait()
        answer = self.answers[name]
        if isinstance(answer, OSError):
            raise answer
        return answer


class Bench:
    """The lookup, and what it lets through: the addresses of dataplanes by name."""

    def __init__(self) -> None:
        self.dns = Dns()
        self.held: dict[str, tuple[str, str] | None] = {}
        self.other: list[str] = []
        self._news = asyncio.Event()
        self.lookup = AddressLookup(self._take, self.dns.resolve, every=timedelta(0))

    def _take(self, changes: Sequence[Change]) -> None:
        for change in changes:
            spec = change.resource.spec if change.resource is not None else None
            if change.key.kind != "Dataplane":
                self.other.append(change.key.name)
            elif isinstance(spec, DataplaneSpec):
                networking = spec.networking
                place = (networking.address, networking.advertised_address)
                self.held[change.key.name] = place
            else:
                self.held[change.key.name] = None
        self._news.set()

    def put(self, *resources: AnyResource) -> None:
        self.lookup.changed([Change(each.key, each) for each in resources])

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not holds():
                self._news.clear()
                await self._news.wait()


@pytest_asyncio.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(lookup, "_SHORTEST", timedelta(milliseconds=5))
    bench = Bench()
    yield bench
    bench.lookup.close()


async def test_what_has_an_address_goes_on_at_once(bench: Bench) -> None:
    bench.put(a_mesh(), a_dataplane("one", address="10.0.0.1"))

    assert bench.other == ["default"]
    assert bench.held == {"one": ("10.0.0.1", "")}
    assert bench.dns.asked == []


async def test_a_name_that_is_not_known_yet_holds_only_its_own_dataplanes_up(bench: Bench) -> None:
    bench.put(a_dataplane("one", address="slow.internal"), a_dataplane("two", address="10.0.0.2"))
    assert bench.held == {"one": None, "two": ("10.0.0.2", "")}

    bench.dns.say("slow.internal", "10.0.0.1")
    await bench.until(lambda: bench.held["one"] == ("10.0.0.1", ""))


async def test_dataplanes_share_a_name_that_is_known(bench: Bench) -> None:
    bench.dns.say("a.internal", "10.0.0.1")
    bench.put(a_dataplane("one", address="a.internal"))
    await bench.until(lambda: bench.held["one"] is not None)
    bench.put(a_dataplane("two", address="a.internal"))

    assert bench.held["two"] == ("10.0.0.1", "")


async def test_a_name_that_two_have_is_looked_up_once(bench: Bench) -> None:
    bench.put(*(a_dataplane(name, address="slow.internal") for name in ("one", "two")))
    await asyncio.sleep(0)
    assert bench.dns.asked == ["slow.internal"]


async def test_an_address_that_moves_is_followed_and_one_that_stays_is_kept(bench: Bench) -> None:
    bench.dns.say("a.internal", "10.0.0.1")
    bench.put(a_dataplane("one", address="a.internal"))
    await bench.until(lambda: bench.held["one"] == ("10.0.0.1", ""))
    bench.dns.say("a.internal", "10.0.0.2")
    await bench.until(lambda: bench.held["one"] == ("10.0.0.2", ""))

    bench.held.clear()
    bench.dns.say("a.internal", "10.0.0.3", "10.0.0.2")  # in another order, as DNS does
    asked = len(bench.dns.asked)
    async with asyncio.timeout(30):
        while len(bench.dns.asked) < asked + 3:
            await asyncio.sleep(0.005)
    assert bench.held == {}


async def test_a_name_that_fails_keeps_its_address(bench: Bench) -> None:
    bench.dns.say("a.internal", "10.0.0.1")
    bench.put(a_dataplane("one", address="a.internal"))
    await bench.until(lambda: bench.held["one"] is not None)
    bench.dns.fail("a.internal")
    asked = len(bench.dns.asked)
    async with asyncio.timeout(30):
        while len(bench.dns.asked) < asked + 3:
            await asyncio.sleep(0.005)
    bench.put(a_dataplane("two", address="a.internal"))

    assert bench.held == {"one": ("10.0.0.1", ""), "two": ("10.0.0.1", "")}


async def test_both_addresses_may_be_names(bench: Bench) -> None:
    networking = {"advertisedAddress": "out.internal"}
    bench.put(a_dataplane("one", address="in.internal", networking=networking))
    bench.dns.say("in.internal", "10.0.0.1")
    bench.dns.say("out.internal", "192.0.2.1")
    await bench.until(lambda: bench.held["one"] == ("10.0.0.1", "192.0.2.1"))


async def test_names_of_nobody_are_not_looked_up_any_more(bench: Bench) -> None:
    bench.dns.say("a.internal", "10.0.0.1")
    one = a_dataplane("one", address="a.internal")
    bench.put(one)
    await bench.until(lambda: bench.held["one"] is not None)
    bench.lookup.changed([Change(one.key, None)])
    assert bench.held["one"] is None

    asked = len(bench.dns.asked)
    await asyncio.sleep(0.05)
    assert len(bench.dns.asked) == asked


async def test_the_resolver_of_the_machine_is_asked() -> None:
    dns = DnsNames()
    try:
        assert (await dns.resolve("localhost"))[0] in {"127.0.0.1", "::1"}
        with pytest.raises(OSError, match="too long"):
            await dns.resolve("a" * 64)
    finally:
        dns.close()
