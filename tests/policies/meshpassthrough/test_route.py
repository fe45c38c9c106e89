"""Matches become filter chains that Envoy can tell apart."""

from typing import Any

from kuma.policies.meshpassthrough.model import Match
from kuma.policies.meshpassthrough.route import Way, uninspected, ways


def match(value: str, protocol: str = "tcp", port: int | None = None) -> Match:
    by_name = ":" not in value and any(each.isalpha() for each in value)
    raw: dict[str, Any] = {"type": "CIDR" if "/" in value else "IP", "value": value}
    if by_name:
        raw["type"] = "Domain"
    return Match.model_validate({**raw, "protocol": protocol, "port": port})


def shown(found: tuple[Way, ...]) -> list[str]:
    """`layer port what`"""
    return [
        f"{each.layer.name} {each.port or '*'} "
        + (str(each.network) if each.network else ",".join(name.value for name in each.names))
        for each in found
    ]


def test_layers_come_in_order_and_addresses_before_names() -> None:
    found = ways(
        [
            match("a.com", "http", 80),
            match("10.0.0.1", "http", 80),
            match("10.0.0.1", "tcp", 80),
            match("a.com", "tls", 80),
            match("10.0.0.0/8", "tls", 80),
        ]
    )

    assert shown(found) == [
        "TLS 80 10.0.0.0/8",
        "TLS 80 a.com",
        "TCP 80 10.0.0.1/32",
        "HTTP 80 10.0.0.1/32",
        "HTTP 80 a.com",
    ]


def test_narrow_addresses_and_long_names_come_first() -> None:
    found = ways(
        [
            match("10.0.0.0/8"),
            match("10.1.0.0/16"),
            match("10.1.1.1"),
            match("a.com", "tls"),
            match("b.a.com", "tls"),
            match("*.a.com", "tls"),
        ]
    )

    assert shown(found) == [
        "TLS * *.a.com",
        "TLS * b.a.com",
        "TLS * a.com",
        "TCP * 10.1.1.1/32",
        "TCP * 10.1.0.0/16",
        "TCP * 10.0.0.0/8",
    ]


def test_a_named_port_has_the_matches_without_a_port_too() -> None:
    found = ways([match("10.0.0.1", port=81), match("10.0.0.2"), match("10.0.0.3", port=80)])

    assert shown(found) == [
        "TCP 81 10.0.0.1/32",
        "TCP 81 10.0.0.2/32",
        "TCP 80 10.0.0.2/32",
        "TCP * 10.0.0.2/32",
        "TCP 80 10.0.0.3/32",
    ]


def test_hosts_of_one_port_share_a_chain_whichever_http_they_speak() -> None:
    found = ways([match("a.com", "http", 80), match("b.com", "grpc", 80), match("c.com", "http")])

    assert shown(found) == ["HTTP 80 a.com,b.com,c.com", "HTTP * c.com"]
    assert [name.protocol.value for name in found[0].names] == ["http", "grpc", "http"]


def test_what_envoy_could_not_tell_apart_is_one() -> None:
    found = ways(
        [
            match("10.0.0.1", port=80),
            match("10.0.0.1/32", port=80),
            match("10.0.0.1", "mysql", 80),
            match("10.1.2.3/8"),
            match("10.0.0.0/8"),
            match("A.com", "tls"),
            match("a.com", "tls"),
        ]
    )

    assert shown(found) == [
        "TLS 80 A.com",
        "TLS * A.com",
        "TCP 80 10.0.0.1/32",
        "TCP 80 10.0.0.0/8",
        "TCP * 10.0.0.0/8",
    ]


def test_the_port_of_a_match_counts_before_one_that_names_none() -> None:
    [at_80, *_] = ways([match("a.com", "http"), match("a.com", "http2", 80)])

    assert [name.protocol.value for name in at_80.names] == ["http2"]


def test_addresses_are_called_over_their_version_and_names_over_both() -> None:
    found = ways([match("10.0.0.1"), match("2001:db8::1"), match("a.com", "tls")])

    assert [sorted(each.versions) for each in found] == [[4, 6], [6], [4]]


def test_databases_that_speak_first_are_not_waited_for() -> None:
    assert uninspected([match("10.0.0.1", "mysql", 3306), match("10.0.0.1", "tcp", 80)]) == {3306}
