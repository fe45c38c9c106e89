"""Fields and messages are those of Kuma 2.14.3, given the same specs."""

from typing import Any

import pytest

from kuma.policies.meshpassthrough import KIND
from tests.policies.verdict import verdict


def spec(*matches: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"default": {"appendMatch": list(matches)}, **fields}


def match(kind: str, value: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "value": value, **fields}


@pytest.mark.parametrize(
    "accepted",
    [
        {},
        {"default": {}},
        {"default": {"passthroughMode": "None"}},
        {"targetRef": {"kind": "Mesh", "proxyTypes": ["Sidecar"]}},
        {"targetRef": {"kind": "Dataplane", "labels": {"a": "b"}}},
        spec(match("IP", "192.0.2.1")),
        spec(match("IP", "2001:db8::1", protocol="tls", port=443)),
        spec(match("CIDR", "192.0.2.1/24", protocol="mysql", port=3306)),
        spec(match("CIDR", "2001:db8::/32")),
        spec(match("Domain", "example.com", protocol="tls")),
        spec(match("Domain", "*.example.com", protocol="tls")),
        spec(match("Domain", "*", protocol="tls")),
        spec(match("Domain", "*.example.com", protocol="http", port=80)),
        spec(*(match("Domain", name, protocol="http", port=80) for name in ("a.com", "b.com"))),
        spec(match("IP", "192.0.2.1", port=80), match("IP", "192.0.2.1", port=80, protocol="tls")),
        spec(match("IP", "192.0.2.1", protocol="http"), match("IP", "192.0.2.2", protocol="grpc")),
    ],
)
def test_accepts(accepted: dict[str, Any]) -> None:
    assert verdict(KIND, accepted) == []


@pytest.mark.parametrize(
    ("one", "field", "message"),
    [
        (match("Test", "a"), "type", "unsupported value, must be 'Domain', 'IP' or 'CIDR'"),
        (match("IP", "192.0.2.1", port=0), "port", "port must be a valid (1-65535)"),
        (match("IP", "192.0.2.1", port=65536), "port", "port must be a valid (1-65535)"),
        (match("IP", "example.com"), "value", "provided IP has incorrect value"),
        (match("IP", "192.0.2.0/24"), "value", "provided IP has incorrect value"),
        (match("CIDR", "192.0.2.1"), "value", "provided CIDR has incorrect value"),
        (match("CIDR", "192.0.2.1/33"), "value", "provided CIDR has incorrect value"),
        (match("Domain", "a.com"), "protocol", "protocol tcp is not supported for a domain"),
        (
            match("Domain", "a.com", protocol="mysql", port=1),
            "protocol",
            "protocol mysql is not supported for a domain",
        ),
        (
            match("Domain", "*w.a.com", protocol="tls"),
            "value",
            "provided DNS has incorrect value, partial wildcard is currently not supported",
        ),
        (
            match("Domain", "*.a@b", protocol="tls"),
            "value",
            "provided DNS has incorrect value",
        ),
        (
            match("Domain", "192.0.2.1", protocol="tls"),
            "value",
            "provided DNS has incorrect value",
        ),
        (match("Domain", "*.1.2.3.4", protocol="tls"), "value", "provided DNS has incorrect value"),
        (match("Domain", "", protocol="tls"), "value", "provided DNS has incorrect value"),
        (
            match("Domain", "*.a.com", protocol="http"),
            "port",
            "wildcard domains doesn't work for all ports and layer 7 protocol",
        ),
        (
            match("IP", "192.0.2.1", protocol="mysql"),
            "port",
            "port must be defined for Mysql protocol",
        ),
    ],
)
def test_refuses(one: dict[str, Any], field: str, message: str) -> None:
    [(path, told)] = verdict(KIND, spec(one))

    assert path == f"spec.default.appendMatch[0].{field}"
    assert told.startswith(message)


def test_refuses_an_unknown_protocol_and_target() -> None:
    [(path, _)] = verdict(KIND, spec(match("IP", "192.0.2.1", protocol="udp")))
    assert path == "spec.default.appendMatch[0].protocol"
    assert verdict(KIND, {"targetRef": {"kind": "MeshService", "name": "a"}}) == [
        ("spec.targetRef.kind", "value 'MeshService' is not supported")
    ]


def test_refuses_two_kinds_of_http_on_one_port() -> None:
    one = match("Domain", "a.com", protocol="http", port=80)
    [(path, message)] = verdict(KIND, spec(one, {**one, "value": "b.com", "protocol": "grpc"}))

    assert path == "spec.default.appendMatch[1].port"
    assert message == (
        "using the same port in multiple matches requires the same protocol for the following "
        "protocols: [grpc http http2]"
    )


def test_refuses_the_same_value_twice() -> None:
    one = match("IP", "192.0.2.1", port=80)

    assert verdict(KIND, spec(one, one)) == [
        (
            "spec.default.appendMatch[1].value",
            "value 192.0.2.1 is already defined for this port and protocol",
        )
    ]


@pytest.mark.parametrize("port", ["80", True, 1.5])
def test_a_port_is_a_number(port: object) -> None:
    found = verdict(KIND, spec({"type": "IP", "value": "10.0.0.1", "port": port}))
    assert found == [("spec.default.appendMatch[0].port", "must be an integer")]
