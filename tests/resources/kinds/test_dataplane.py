"""What Kuma 2.14.3 answers to the same documents, but where a test's name says otherwise."""

from typing import Any

import pytest

from kuma.resources.kinds.dataplane import DATAPLANE, DataplaneSpec, InboundInterface
from tests.resources.claims import Found, find_violations
from tests.support.builders import a_dataplane, an_inbound, an_outbound

PORT = "port must be in the range [1, 65535]"
SAME = "serviceAddress and servicePort has to differ from address and port"
TAGGED = {"kuma.io/service": "a"}


def networking(**fields: Any) -> dict[str, Any]:
    return {"networking": {"address": "192.168.0.1", **fields}}


def inbound(**fields: Any) -> dict[str, Any]:
    return networking(inbound=[{"port": 80, "tags": TAGGED, **fields}])


def outbound(**fields: Any) -> dict[str, Any]:
    return networking(outbound=[{"port": 80, "tags": TAGGED, **fields}])


@pytest.mark.parametrize(
    "spec",
    [
        networking(),
        networking(address="::1", advertisedAddress="203.0.113.7"),
        networking(gateway={}),
        networking(gateway={"tags": {**TAGGED, "kuma.io/protocol": "tcp"}, "type": "DELEGATED"}),
        networking(admin={"port": 9901}),
        inbound(tags={}),
        inbound(tags={**TAGGED, "kuma.io/protocol": "HTTP2", "v/1": "1.0:a_b-c"}),
        inbound(protocol="grpc", name="main", state="NotReady", health={"ready": False}),
        inbound(port="80"),
        inbound(servicePort=80, serviceAddress="127.0.0.1"),
        inbound(servicePort=None, serviceAddress=None, health=None),
        outbound(address="127.0.0.2"),
        outbound(tags={**TAGGED, "version": "1"}),
    ],
)
def test_these_are_valid(spec: dict[str, Any]) -> None:
    assert find_violations(DATAPLANE, spec) == []


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ({}, [("networking", "must be defined")]),
        ({"networking": {}}, [("networking.address", "address can't be empty")]),
        (networking(address="0.0.0.0"), [("networking.address", "must not be 0.0.0.0 or ::")]),
        (networking(address="::"), [("networking.address", "must not be 0.0.0.0 or ::")]),
        (
            networking(advertisedAddress="bad address"),
            [
                (
                    "networking.advertisedAddress",
                    "address has to be valid IP address or domain name",
                )
            ],
        ),
        (inbound(port=0), [("networking.inbound[0].port", PORT)]),
        (inbound(port=65536), [("networking.inbound[0].port", PORT)]),
        (inbound(servicePort=65536), [("networking.inbound[0].servicePort", PORT)]),
        (
            inbound(serviceAddress="foo", address="bar"),
            [
                (
                    "networking.inbound[0].serviceAddress",
                    "serviceAddress has to be valid IP address",
                ),
                ("networking.inbound[0].address", "address has to be valid IP address"),
            ],
        ),
        (
            inbound(serviceAddress="192.168.0.1"),
            [("networking.inbound[0].serviceAddress", SAME)],
        ),
        (
            inbound(serviceAddress="10.0.0.1", address="10.0.0.1", servicePort=80),
            [("networking.inbound[0].serviceAddress", SAME)],
        ),
        (
            inbound(tags={**TAGGED, "kuma.io/protocol": "foo"}, protocol="zzz"),
            [
                (
                    'networking.inbound[0].tags["kuma.io/protocol"]',
                    (
                        'tag "kuma.io/protocol" has an invalid value "foo". '
                        "Allowed values: grpc, http, http2, kafka, tcp"
                    ),
                ),
                (
                    "networking.inbound[0].protocol",
                    'has an invalid value "zzz". Allowed values: grpc, http, http2, kafka, tcp',
                ),
            ],
        ),
        (
            inbound(tags={**TAGGED, "e": "", "x y": "a/b", "": "v"}),
            [
                ("networking.inbound[0].tags", "tag name must be non-empty"),
                ('networking.inbound[0].tags["e"]', "tag value must be non-empty"),
                (
                    'networking.inbound[0].tags["x y"]',
                    (
                        "tag name must consist of alphanumeric characters, dots, dashes, slashes and "
                        "underscores"
                    ),
                ),
                (
                    'networking.inbound[0].tags["x y"]',
                    "tag value must consist of alphanumeric characters, dots, dashes and underscores",
                ),
            ],
        ),
        (
            inbound(tags={"version": "1"}),
            [('networking.inbound[0].tags["kuma.io/service"]', "tag has to exist")],
        ),
        (outbound(port=0), [("networking.outbound[0].port", PORT)]),
        (
            outbound(address="localhost"),
            [("networking.outbound[0].address", "address has to be valid IP address")],
        ),
        (
            outbound(tags={"version": "1"}),
            [("networking.outbound[0].tags", 'mandatory tag "kuma.io/service" is missing')],
        ),
        (
            outbound(tags=None),
            [("networking.outbound[0].tags", 'mandatory tag "kuma.io/service" is missing')],
        ),
        (
            networking(gateway={"tags": {"a": "b", "kuma.io/protocol": "http"}}),
            [
                (
                    'networking.gateway.tags["kuma.io/protocol"]',
                    'other values than tcp are not allowed, provided value "http"',
                ),
                ("networking.gateway.tags", 'mandatory tag "kuma.io/service" is missing'),
            ],
        ),
        (
            networking(gateway={}, inbound=[an_inbound()]),
            [("networking.inbound", "inbound cannot be defined for delegated gateways")],
        ),
        (
            networking(inbound=[an_inbound()], admin={"port": 65536}),
            [("networking.admin.port", "port must be in the range [1, 65535]")],
        ),
    ],
)
def test_these_are_invalid(spec: dict[str, Any], found: Found) -> None:
    assert find_violations(DATAPLANE, spec) == found


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"inbound": [{"port": 80, "address": "127.0.0.1"}]}, "must differ from inbound"),
        (
            {"inbound": [{"port": 81, "servicePort": 80, "serviceAddress": "127.0.0.1"}]},
            "must differ from inbound",
        ),
        ({"outbound": [{"port": 80, "tags": TAGGED}]}, "must differ from outbound"),
    ],
)
def test_the_admin_port_is_its_own(fields: dict[str, Any], message: str) -> None:
    spec = networking(admin={"port": 80}, **fields)
    assert find_violations(DATAPLANE, spec) == [("networking.admin.port", message)]


def test_the_admin_port_may_be_used_on_another_address() -> None:
    spec = networking(admin={"port": 80}, inbound=[{"port": 80, "tags": TAGGED}])
    assert find_violations(DATAPLANE, spec) == []


def test_two_listeners_on_one_address_and_port_are_refused_unlike_in_kuma() -> None:
    spec = networking(
        address="127.0.0.1",
        inbound=[{"port": 80}, {"port": 80}],
        outbound=[an_outbound("b", 80), an_outbound("b", 80, address="127.0.0.2")],
    )
    message = "127.0.0.1:80 is already used by networking.inbound[0]"
    assert find_violations(DATAPLANE, spec) == [
        ("networking.inbound[1].port", message),
        ("networking.outbound[0].port", message),
    ]


@pytest.mark.parametrize(
    ("spec", "field", "part"),
    [
        (
            networking(gateway={"type": "BUILTIN"}),
            "networking.gateway.type",
            "builtin gateways",
        ),
        (
            networking(listeners=[{"type": "ZoneIngress", "port": 1}]),
            "networking.listeners",
            "zone proxies",
        ),
        (
            inbound(serviceProbe={"tcp": {}}),
            "networking.inbound[0].serviceProbe",
            "health discovery",
        ),
        ({**networking(), "metrics": {"type": "prometheus"}}, "metrics", "metrics of proxies"),
        ({**networking(), "probes": {"port": 9000}}, "probes", "virtual probes"),
    ],
)
def test_what_cannot_be_honoured_yet_is_refused(
    spec: dict[str, Any], field: str, part: str
) -> None:
    message = f"is not supported by this version ({part})"
    assert find_violations(DATAPLANE, spec) == [(field, message)]


def test_wrong_types_and_unknown_fields_are_all_named() -> None:
    spec = {
        "networking": {
            "address": "127.0.0.1",
            "inbund": [],
            "inbound": [
                {
                    "port": "x",
                    "servicport": 1,
                    "tags": {"version": 1},
                    "state": "Foo",
                    "health": {"ready": "yes"},
                },
                {"port": True},
                "x",
            ],
            "admin": [],
        },
        "netwroking": {},
    }
    assert sorted(find_violations(DATAPLANE, spec)) == [
        ("networking.admin", "must be an object"),
        ("networking.inbound[0].health.ready", "must be true or false"),
        ("networking.inbound[0].port", "must be an integer"),
        ("networking.inbound[0].servicport", 'unknown field, did you mean "servicePort"?'),
        (
            "networking.inbound[0].state",
            "unsupported value, must be 'Ready', 'NotReady' or 'Ignored'",
        ),
        ('networking.inbound[0].tags["version"]', "must be a string"),
        ("networking.inbound[1].port", "must be an integer"),
        ("networking.inbound[2]", "must be an object"),
        ("networking.inbund", 'unknown field, did you mean "inbound"?'),
        ("netwroking", 'unknown field, did you mean "networking"?'),
    ]


def test_an_inbound_interface_falls_back_to_the_address_of_the_dataplane() -> None:
    spec = a_dataplane(address="10.0.0.1", inbounds=[{"port": 80}]).spec
    [only] = spec.networking.inbound
    assert spec.networking.interface_of(only) == InboundInterface(
        address="10.0.0.1",
        port=80,
        advertised_address="10.0.0.1",
        service_address="10.0.0.1",
        service_port=80,
    )


def test_an_inbound_interface_prefers_what_is_said() -> None:
    spec = a_dataplane(
        address="10.0.0.1",
        inbounds=[
            {"port": 80, "address": "10.0.0.2", "servicePort": 81, "serviceAddress": "127.0.0.1"}
        ],
        networking={"advertisedAddress": "203.0.113.7"},
    ).spec
    [only] = spec.networking.inbound
    assert spec.networking.interface_of(only) == InboundInterface(
        address="10.0.0.2",
        port=80,
        advertised_address="203.0.113.7",
        service_address="127.0.0.1",
        service_port=81,
    )


@pytest.mark.parametrize(
    ("fields", "ready"),
    [
        ({}, True),
        ({"state": "Ready", "health": {"ready": True}}, True),
        ({"health": {}}, False),
        ({"state": "NotReady"}, False),
        ({"state": "Ignored"}, False),
    ],
)
def test_an_inbound_is_ready_unless_state_or_health_says_no(
    fields: dict[str, Any], ready: bool
) -> None:
    spec = DataplaneSpec.model_validate(inbound(**fields))
    assert spec.networking.inbound[0].is_ready is ready


def test_the_protocol_field_wins_over_the_tag() -> None:
    spec = DataplaneSpec.model_validate(
        networking(
            inbound=[
                {"port": 80, "protocol": "grpc", "tags": {"kuma.io/protocol": "http"}},
                {"port": 81, "tags": {"kuma.io/protocol": "http"}},
                {"port": 82, "name": "third"},
            ]
        )
    )
    inbounds = spec.networking.inbound
    assert [each.declared_protocol for each in inbounds] == ["grpc", "http", ""]
    assert [each.section_name for each in inbounds] == ["80", "81", "third"]


def test_equal_outbounds_of_many_dataplanes_are_held_once() -> None:
    outbound = {"port": 9000, "tags": {"kuma.io/service": "db", "version": "v1"}}
    one, two = (
        DataplaneSpec.model_validate({"networking": {"address": address, "outbound": [outbound]}})
        for address in ("10.0.0.1", "10.0.0.2")
    )
    assert one.networking.outbound[0] is two.networking.outbound[0]
    other = DataplaneSpec.model_validate(
        {"networking": {"address": "10.0.0.1", "outbound": [{**outbound, "port": 9001}]}}
    )
    assert other.networking.outbound[0].port == 9001


@pytest.mark.parametrize(
    ("ref", "field", "message"),
    [
        (
            {"kind": "MeshHTTPRoute", "name": "a"},
            "kind",
            "invalid value. Available values are: MeshExternalService,MeshMultiZoneService,MeshService",
        ),
        ({"kind": "MeshService"}, "name", "name or labels are required"),
        (
            {"kind": "MeshService", "namespace": "shop"},
            "name",
            "name is required, when namespace is defined",
        ),
        (
            {"kind": "MeshService", "name": "a", "labels": {"a": "b"}},
            "labels",
            "labels cannot be defined when name is specified",
        ),
    ],
)
def test_a_reachable_backend_is_named_or_labelled(ref, field, message):
    spec = networking(transparentProxying={"reachableBackends": {"refs": [ref]}})
    path = f"networking.transparentProxying.reachableBackends.refs[0].{field}"
    assert find_violations(DATAPLANE, spec) == [(path, message)]


def test_a_name_of_a_reachable_backend_is_one_of_a_resource():
    ref = {"kind": "MeshService", "name": "A_b"}
    spec = networking(transparentProxying={"reachableBackends": {"refs": [ref]}})
    [(path, message)] = find_violations(DATAPLANE, spec)
    assert path.endswith("refs[0].name")
    assert message.startswith("invalid characters. A lowercase RFC 1123 subdomain")


def test_ports_of_redirection_are_ports():
    spec = networking(transparentProxying={"redirectPortOutbound": 70000})
    [(path, message)] = find_violations(DATAPLANE, spec)
    assert path == "networking.transparentProxying.redirectPortOutbound"
    assert "65535" in message


def test_what_redirection_may_say_is_accepted():
    refs = [
        {"kind": "MeshService", "name": "api", "namespace": "shop", "port": 80},
        {"kind": "MeshExternalService", "labels": {"team": "shop"}},
        {"kind": "MeshMultiZoneService", "name": "all"},
    ]
    spec = networking(
        transparentProxying={
            "redirectPortInbound": 15006,
            "redirectPortOutbound": 15001,
            "ipFamilyMode": "IPv4",
            "directAccessServices": ["*"],
            "reachableServices": ["api"],
            "reachableBackends": {"refs": refs},
        }
    )
    assert find_violations(DATAPLANE, spec) == []


def test_inbounds_are_limited_unlike_in_kuma() -> None:
    inbound = [{"port": 1 + at} for at in range(1025)]
    spec = {"networking": {"address": "192.0.2.1", "inbound": inbound}}
    assert find_violations(DATAPLANE, spec) == [
        ("networking.inbound", "must have at most 1024 items")
    ]


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        (
            {
                "gateway": {"tags": {"kuma.io/service": "g"}},
                "inbound": [{"port": 80, "tags": {"kuma.io/service": "a"}}],
            },
            [("networking.inbound", "inbound cannot be defined for delegated gateways")],
        ),
        (
            {
                "gateway": {"tags": {"kuma.io/service": "g"}},
                "listeners": [{"type": "ZoneIngress", "address": "127.0.0.1", "port": 80}],
            },
            [
                ("networking.listeners", "listeners cannot be defined for delegated gateways"),
                ("networking.listeners", "is not supported by this version (zone proxies)"),
            ],
        ),
        (
            {
                "outbound": [
                    {
                        "port": 81,
                        "tags": {"kuma.io/service": "b"},
                        "backendRef": {"kind": "MeshService", "name": "b", "port": 80},
                    }
                ]
            },
            [
                (
                    "networking.outbound[0].backendRef",
                    "both backendRef and tags/service cannot be defined",
                )
            ],
        ),
        (
            {"admin": {"port": 80}, "inbound": [{"port": 80, "address": "localhost"}]},
            [("networking.inbound[0].address", "address has to be valid IP address")],
        ),
    ],
)
def test_parts_that_exclude_each_other(fields: dict[str, Any], found: Found) -> None:
    assert find_violations(DATAPLANE, networking(**fields)) == found
