"""The names and addresses under which other machines may know this one."""

import re
import socket
from ipaddress import IPv6Address, ip_address
from pathlib import Path

_LOCAL_V4 = re.compile(r"\|-- (\S+)\n\s+/32 host LOCAL")
_LOOPBACK = ("127.0.0.1", "::1")


def local_addresses() -> tuple[str, ...]:
    """Loopback first, then all that can be found: from the kernel's tables on Linux, elsewhere the
    ones that the routes and the hostname lead to."""
    found = [*_LOOPBACK, *_from_kernel(), *_from_routes(), *_from_hostname()]
    return tuple(dict.fromkeys(each for each in found if _is_usable(each)))


def _from_kernel() -> list[str]:
    return [*_LOCAL_V4.findall(_text("/proc/net/fib_trie")), *_v6_from_kernel()]


def _v6_from_kernel() -> list[str]:
    rows = [line.split() for line in _text("/proc/net/if_inet6").splitlines()]
    return [str(IPv6Address(bytes.fromhex(row[0]))) for row in rows if len(row) == 6]


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii")
    except OSError:
        return ""


def _from_routes() -> list[str]:
    """The source address of a packet to elsewhere; none is sent."""
    elsewhere = [(socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")]
    return [found for family, target in elsewhere if (found := _source(family, target))]


def _source(family: socket.AddressFamily, target: str) -> str:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((target, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return ""


def _from_hostname() -> list[str]:
    try:
        found = socket.getaddrinfo(socket.gethostname(), None)
    except OSError:
        return []
    return [str(each[4][0]) for each in found]


def _is_usable(text: str) -> bool:
    try:
        return not ip_address(text).is_unspecified and "%" not in text
    except ValueError:
        return False
