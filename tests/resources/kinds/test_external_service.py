"""What Kuma 2.14.3 answers to the same documents, but where a comment says otherwise."""

from typing import Any

import pytest

from kuma.resources.kinds.external_service import EXTERNAL_SERVICE
from tests.resources.claims import Found, find_violations
from tests.support.builders import an_external_service

TAGS = {"kuma.io/service": "x"}


def at(address: str, **networking: Any) -> dict[str, Any]:
    return {"networking": {"address": address, **networking}, "tags": TAGS}


@pytest.mark.parametrize(
    "spec",
    [
        at("example.com:443"),
        at("10.0.0.1:80", disableHostDNSEntry=True),
        at("[::1]:80"),
        at("example.com:443", tls={"enabled": True, "caCert": {"secret": "ca"}, "serverName": "a"}),
        at("example.com:443", tls={"allowRenegotiation": True, "skipHostnameVerification": True}),
    ],
)
def test_these_are_valid(spec: dict[str, Any]) -> None:
    assert find_violations(EXTERNAL_SERVICE, spec) == []


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        # Kuma says "should have networking".
        ({"tags": TAGS}, [("networking", "must be defined")]),
        (at(""), [("networking.address", "address can't be empty")]),
        # Kuma adds three that follow from this one.
        (at("example.com"), [("networking.address", "unable to parse address")]),
        (at("::1:80"), [("networking.address", "unable to parse address")]),
        (
            at("exa mple.com:80"),
            [("networking.address", "address has to be a valid IP address or a domain name")],
        ),
        (at("example.com:x"), [("networking.address", "unable to parse port in address")]),
        (
            at("example.com:0"),
            [("networking.address", "port must be in the range [1, 65535]")],
        ),
        (
            {**at("a.com:1"), "tags": {"kuma.io/service": "a.com", "kuma.io/protocol": "foo"}},
            [
                (
                    'tags["kuma.io/protocol"]',
                    (
                        'tag "kuma.io/protocol" has an invalid value "foo". '
                        "Allowed values: grpc, http, http2, kafka, tcp"
                    ),
                ),
                ('tags["kuma.io/service"]', "cannot be the same as networking.address"),
            ],
        ),
        (
            {**at("a.com:1"), "tags": {"a": "b"}},
            [("tags", 'mandatory tag "kuma.io/service" is missing')],
        ),
        (
            at("a.com:1", tls={"serverName": "", "caCert": {}, "clientKey": {"inline": ""}}),
            [
                ("networking.tls.serverName", "cannot be empty"),
                ("networking.tls.caCert", "data source cannot be empty"),
                ("networking.tls.clientKey", "data source cannot be empty"),
            ],
        ),
    ],
)
def test_these_are_invalid(spec: dict[str, Any], found: Found) -> None:
    assert find_violations(EXTERNAL_SERVICE, spec) == found


@pytest.mark.parametrize(
    ("address", "host", "port"), [("example.com:443", "example.com", 443), ("[::1]:80", "::1", 80)]
)
def test_the_address_splits_into_host_and_port(address: str, host: str, port: int) -> None:
    networking = an_external_service(address=address).spec.networking
    assert (networking.host, networking.port) == (host, port)


@pytest.mark.parametrize("name", ["a" * 256, "a\0"])
def test_a_server_name_that_envoy_would_refuse(name: str) -> None:
    message = "must be at most 255 bytes, without null characters"
    found = find_violations(EXTERNAL_SERVICE, at("a.com:1", tls={"serverName": name}))
    assert found == [("networking.tls.serverName", message)]
