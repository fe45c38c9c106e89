"""What the schema of a MeshPassthrough cannot say. Wording is Kuma's."""

from collections.abc import Iterator
from ipaddress import ip_network

from kuma.policies.constraints import Found
from kuma.policies.lists import validate_top
from kuma.policies.meshpassthrough.model import (
    LAYER_7,
    Match,
    MatchProtocol,
    MatchType,
    MeshPassthroughSpec,
)
from kuma.resources.kinds.rules import is_dns_name, is_ip
from kuma.resources.resource import Resource
from kuma.resources.target_ref import TargetRefKind
from kuma.resources.violation import Violation, at

_PROXIES = (TargetRefKind.MESH, TargetRefKind.MESH_SUBSET, TargetRefKind.DATAPLANE)
_NOT_BY_NAME = (MatchProtocol.TCP, MatchProtocol.MYSQL)
_SAME_PROTOCOL = (
    "using the same port in multiple matches requires the same protocol for the following "
    f"protocols: [{' '.join(sorted(LAYER_7))}]"
)


def validate(resource: Resource[MeshPassthroughSpec]) -> Found:
    spec = resource.spec
    found: list[Violation] = []
    found += validate_top(spec.target_ref, kinds=_PROXIES)
    matches = spec.default.append_match or ()
    for index, match in enumerate(matches):
        problems = (*_check(match), *_check_beside(match, matches[:index]))
        found += at(f"default.appendMatch[{index}]", problems)
    return at("spec", found)


def _check(match: Match) -> Iterator[Violation]:
    if match.protocol is MatchProtocol.MYSQL and match.port is None:
        yield Violation("port", "port must be defined for Mysql protocol")
    if match.port is not None and not 1 <= match.port <= 65535:
        yield Violation("port", "port must be a valid (1-65535)")
    if match.type is MatchType.DOMAIN:
        yield from _check_domain(match)
    elif match.type is MatchType.IP and not is_ip(match.value):
        yield Violation("value", "provided IP has incorrect value")
    elif match.type is MatchType.CIDR and not _is_cidr(match.value):
        yield Violation("value", "provided CIDR has incorrect value")


def _check_domain(match: Match) -> Iterator[Violation]:
    if match.protocol in _NOT_BY_NAME:
        message = f"protocol {match.protocol} is not supported for a domain"
        yield Violation("protocol", message)
    is_wildcard = match.value.startswith("*")
    if match.port is None and is_wildcard and match.protocol in LAYER_7:
        message = "wildcard domains doesn't work for all ports and layer 7 protocol"
        yield Violation("port", message)
    if match.value == "*":
        return
    if is_wildcard and not match.value.startswith("*."):
        message = "provided DNS has incorrect value, partial wildcard is currently not supported"
        yield Violation("value", message)
    elif not is_dns_name(match.value.removeprefix("*.")):
        yield Violation("value", "provided DNS has incorrect value")


def _check_beside(match: Match, earlier: tuple[Match, ...]) -> Iterator[Violation]:
    """On one port the kinds of HTTP cannot be told apart."""
    on_port = [each for each in earlier if match.port is not None and each.port == match.port]
    if match.protocol in LAYER_7 and on_port and on_port[-1].protocol is not match.protocol:
        yield Violation("port", _SAME_PROTOCOL)
    if any((each.protocol, each.value) == (match.protocol, match.value) for each in on_port):
        message = f"value {match.value} is already defined for this port and protocol"
        yield Violation("value", message)


def _is_cidr(text: str) -> bool:
    try:
        return "/" in text and ip_network(text, strict=False) is not None
    except ValueError:
        return False
