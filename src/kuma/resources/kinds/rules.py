"""Rules that several kinds share: addresses, ports, tags, data sources. Wording is Kuma's."""

import ipaddress
import re
from collections.abc import Iterator, Mapping

from kuma.resources import labels as well_known
from kuma.resources.violation import Violation

SUPPORTED_PROTOCOLS = ("grpc", "http", "http2", "kafka", "tcp")
"""What messages offer; `tls` and `mysql` are accepted too."""
_KNOWN_PROTOCOLS = frozenset({*SUPPORTED_PROTOCOLS, "tls", "mysql"})

_TAG_NAME = re.compile(r"[a-zA-Z0-9.\-_:/]*")
_TAG_VALUE = re.compile(r"[a-zA-Z0-9.\-_:]*")
_SELECTOR_VALUE = re.compile(r"[a-zA-Z0-9.\-_:/]*|\*")
_DNS_NAME = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_-]{0,62}(\.[a-zA-Z0-9_][a-zA-Z0-9_-]{0,62})*[._]?")


def is_ip(text: str) -> bool:
    try:
        return ipaddress.ip_address(text) is not None and "%" not in text
    except ValueError:
        return False


def is_ipv6(text: str) -> bool:
    return ":" in text and is_ip(text)


def is_dns_name(text: str) -> bool:
    """Looser than RFC 1123: underscores, and a dot at the end. An IP address is no name."""
    fits = len(text.replace(".", "")) <= 255 and _DNS_NAME.fullmatch(text) is not None
    return fits and not is_ip(text)


def is_unspecified(address: str) -> bool:
    return is_ip(address) and ipaddress.ip_address(address).is_unspecified


def is_protocol(text: str) -> bool:
    return text.lower() in _KNOWN_PROTOCOLS


def protocol_hint() -> str:
    return f"Allowed values: {', '.join(SUPPORTED_PROTOCOLS)}"


def check_port(path: str, port: int) -> Iterator[Violation]:
    if not 1 <= port <= 65535:
        yield Violation(path, "port must be in the range [1, 65535]")


def check_address(path: str, address: str) -> Iterator[Violation]:
    """The address of a proxy: a definite one, or a name."""
    if not address:
        yield Violation(path, "address can't be empty")
        return
    if address in {"0.0.0.0", "::"}:  # noqa: S104  refused, not bound
        yield Violation(path, "must not be 0.0.0.0 or ::")
    if not is_ip(address) and not is_dns_name(address):
        yield Violation(path, "address has to be valid IP address or domain name")


def check_tags(
    path: str, tags: Mapping[str, str], *, require_service: bool = False
) -> Iterator[Violation]:
    message = "tag value must consist of alphanumeric characters, dots, dashes and underscores"
    yield from _check_pairs(path, tags, _TAG_VALUE, message)
    if require_service and well_known.SERVICE_TAG not in tags:
        yield Violation(path, f'mandatory tag "{well_known.SERVICE_TAG}" is missing')


def check_selector(path: str, tags: Mapping[str, str]) -> Iterator[Violation]:
    """Tags to select by: a value may be `*`; at least one."""
    if not tags:
        yield Violation(path, "must have at least one tag")
    message = (
        "tag value must consist of alphanumeric characters, dots, dashes, slashes and "
        'underscores or be "*"'
    )
    yield from _check_pairs(path, tags, _SELECTOR_VALUE, message)


def check_protocol_tag(path: str, tags: Mapping[str, str]) -> Iterator[Violation]:
    protocol = tags.get(well_known.PROTOCOL_TAG)
    if protocol is not None and not is_protocol(protocol):
        yield Violation(
            at_key(path, well_known.PROTOCOL_TAG),
            f'tag "{well_known.PROTOCOL_TAG}" has an invalid value "{protocol}". {protocol_hint()}',
        )


def at_key(path: str, key: str) -> str:
    return f'{path}["{key}"]'


def _check_pairs(
    path: str, tags: Mapping[str, str], pattern: re.Pattern[str], message: str
) -> Iterator[Violation]:
    for key, tag in sorted(tags.items()):
        if not key:
            yield Violation(path, "tag name must be non-empty")
        if not _TAG_NAME.fullmatch(key):
            yield Violation(
                at_key(path, key),
                "tag name must consist of alphanumeric characters, dots, dashes, slashes and underscores",
            )
        if not tag:
            yield Violation(at_key(path, key), "tag value must be non-empty")
        if not pattern.fullmatch(tag):
            yield Violation(at_key(path, key), message)
