"""Addresses are handed out in order, each once, and a released one as late as possible."""

import pytest

from kuma.kit.address_pool import AddressPool, Exhausted


def test_addresses_come_in_order_from_the_first() -> None:
    pool = AddressPool("241.0.0.0/8")

    assert [pool.allocate() for _ in range(3)] == ["241.0.0.0", "241.0.0.1", "241.0.0.2"]


def test_what_is_reserved_is_not_handed_out_nor_what_was_before_it() -> None:
    pool = AddressPool("10.0.0.0/29")
    for address in ("10.0.0.3", "10.0.0.1", "192.168.0.1"):
        pool.reserve(address)

    assert pool.allocate() == "10.0.0.4"


def test_a_released_address_comes_last() -> None:
    pool = AddressPool("10.0.0.0/30")
    for _ in range(3):
        pool.allocate()
    pool.release("10.0.0.1")

    assert [pool.allocate(), pool.allocate()] == ["10.0.0.3", "10.0.0.1"]


def test_one_that_was_given_back_comes_next() -> None:
    pool = AddressPool("10.0.0.0/30")
    pool.allocate()
    pool.give_back(pool.allocate())
    assert pool.allocate() == "10.0.0.1"

    pool.give_back("10.0.0.0")
    assert pool.allocate() == "10.0.0.2"


def test_a_full_range_says_so_until_one_is_released() -> None:
    pool = AddressPool("10.0.0.0/31")
    pool.reserve("10.0.0.1")
    assert pool.allocate() == "10.0.0.0"

    with pytest.raises(Exhausted, match=r"all 2 addresses of 10\.0\.0\.0/31 are taken"):
        pool.allocate()

    pool.release("10.0.0.1")
    assert pool.allocate() == "10.0.0.1"


def test_a_range_may_be_of_ipv6_and_be_given_by_one_of_its_addresses() -> None:
    assert AddressPool("fd00::5/120").allocate() == "fd00::"
