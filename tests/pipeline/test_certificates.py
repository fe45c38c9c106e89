"""Certificates are issued when wanted, renewed at four fifths of their life, retried with backoff."""

import asyncio
from datetime import timedelta
from functools import cache

import pytest

from kuma.identity.builtin import generate_root
from kuma.identity.errors import NoIdentity
from kuma.identity.issuer import Subject
from kuma.identity.key_pair import CertificateAuthority, load_authority
from kuma.kit.clock import ManualClock, SystemClock
from kuma.kit.incremental import Engine
from kuma.pipeline.certificates import NEVER, Certificates, Wanted
from kuma.pipeline.fanout import ProxyKey

KEY = ProxyKey("default", "api-1")
SUBJECT = Subject("default", ("api",), (("kuma.io/service", "api"),))
WANTED = Wanted("ca-1", b"root", SUBJECT, timedelta(hours=10))


@cache
def authority() -> CertificateAuthority:
    return load_authority(generate_root("default", clock=SystemClock()))


def broken() -> CertificateAuthority:
    raise NoIdentity("the secret is missing")


class Told:
    def __init__(self) -> None:
        self.clock = ManualClock(SystemClock().now())
        self.engine = Engine()
        self.refreshed: list[ProxyKey] = []
        self.issued: list[int | None] = []
        self.certificates = Certificates(
            self.engine,
            self.clock,
            refresh=self.refreshed.append,
            tell=lambda _, issued: self.issued.append(issued and issued.generation),
            base_backoff=timedelta(seconds=5),
            max_backoff=timedelta(minutes=5),
        )


@pytest.fixture
def told() -> Told:
    return Told()


async def test_the_first_certificate_is_issued_at_once_and_kept(told: Told) -> None:
    assert told.certificates.ensure(KEY, WANTED, authority)
    assert not told.certificates.ensure(KEY, WANTED, authority)
    assert told.issued == [1]


async def test_another_wish_gives_another_certificate(told: Told) -> None:
    told.certificates.ensure(KEY, WANTED, authority)
    changed = Wanted("ca-2", b"other root", SUBJECT, timedelta(hours=10))

    assert told.certificates.ensure(KEY, changed, authority)

    found = told.certificates.find(KEY)
    assert found is not None
    assert (found.wanted, found.generation) == (changed, 2)


async def test_it_is_renewed_when_four_fifths_are_over(told: Told) -> None:
    told.certificates.ensure(KEY, WANTED, authority)
    told.clock.advance(timedelta(hours=7, minutes=59))
    assert not told.certificates.ensure(KEY, WANTED, authority)

    told.clock.advance(timedelta(minutes=1))

    assert told.certificates.ensure(KEY, WANTED, authority)
    assert told.issued == [1, 2]


async def test_a_timer_asks_for_the_renewal(told: Told) -> None:
    short = Wanted("ca-1", b"root", SUBJECT, timedelta(seconds=1))
    told.certificates.ensure(KEY, short, authority)
    told.clock.advance(timedelta(seconds=1))
    told.certificates.ensure(ProxyKey("default", "other"), short, authority)

    async with asyncio.timeout(30):
        while KEY not in told.refreshed:
            await asyncio.sleep(0.01)
    told.certificates.close()


async def test_a_failure_keeps_the_old_one_and_waits_before_the_next_try(told: Told) -> None:
    told.certificates.ensure(KEY, WANTED, authority)
    changed = Wanted("ca-2", b"", SUBJECT, timedelta(hours=10))

    assert not told.certificates.ensure(KEY, changed, broken)
    found = told.certificates.find(KEY)
    assert found is not None
    assert found.wanted == WANTED
    assert not told.certificates.ensure(KEY, changed, authority), "it is too early to try again"

    told.clock.advance(timedelta(seconds=7))
    assert told.certificates.ensure(KEY, changed, authority)
    told.certificates.close()


async def test_without_mutual_tls_the_key_is_forgotten(told: Told) -> None:
    told.certificates.ensure(KEY, WANTED, authority)

    assert told.certificates.ensure(KEY, None, authority)

    assert told.certificates.find(KEY) is None
    assert not told.certificates.ensure(KEY, None, authority)
    assert told.issued == [1, None]


async def test_proxies_that_come_and_go_leave_nothing_behind(told: Told) -> None:
    for number in range(500):
        key = ProxyKey("default", f"api-{number % 5}")
        told.certificates.ensure(key, WANTED, authority)
        told.certificates.forget(key)
        assert told.certificates.find(key) is None

    assert len(told.certificates) <= 105
    told.certificates.close()


async def test_a_proxy_that_is_gone_is_not_asked_for_again(told: Told) -> None:
    short = Wanted("ca-1", b"root", SUBJECT, timedelta(seconds=1))
    gone = ProxyKey("default", "gone")
    told.certificates.ensure(gone, short, authority)
    told.certificates.forget(gone)
    told.certificates.ensure(KEY, short, authority)
    told.clock.advance(timedelta(seconds=1))
    told.certificates.ensure(ProxyKey("default", "other"), short, authority)

    async with asyncio.timeout(30):
        while KEY not in told.refreshed:
            await asyncio.sleep(0.01)

    assert gone not in told.refreshed
    told.certificates.close()


async def test_a_new_authority_waits_until_others_trust_it(told: Told) -> None:
    told.certificates.ensure(KEY, WANTED, authority)
    changed = Wanted("ca-2", b"other root", SUBJECT, timedelta(hours=10))
    trusted_from = told.clock.now() + timedelta(seconds=2)

    assert not told.certificates.ensure(KEY, changed, authority, not_before=NEVER)
    assert not told.certificates.ensure(KEY, changed, authority, not_before=trusted_from)
    told.clock.advance(timedelta(seconds=2))
    assert told.certificates.ensure(KEY, changed, authority, not_before=trusted_from)


async def test_the_first_certificate_waits_for_nobody(told: Told) -> None:
    assert told.certificates.ensure(KEY, WANTED, authority, not_before=NEVER)
