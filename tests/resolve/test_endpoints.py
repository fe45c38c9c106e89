"""Where services live, what they speak, how one talks to them."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kuma.plan.endpoint import Endpoint, EndpointSet
from kuma.plan.protocol import Protocol
from kuma.plan.proxy import Resolved
from kuma.plan.tls import ExternalTls, MutualTls
from kuma.resolve.endpoints import build_sni, mutual_tls, resolve_endpoints, service_protocol
from tests.resolve.world import a_policy, a_view, messages, plan_of
from tests.support.builders import (
    a_dataplane,
    a_mesh,
    a_secret,
    an_external_service,
    an_inbound,
)
from tests.support.envoy_static import a_key_pair

TAGS = (("kuma.io/protocol", "http"), ("kuma.io/service", "backend"))


def test_endpoints_are_the_ready_inbounds() -> None:
    view = a_view(
        a_dataplane("ready", address="10.0.0.1"),
        a_dataplane(
            "many",
            address="10.0.0.2",
            networking={"advertisedAddress": "1.2.3.4"},
            inbounds=[
                an_inbound("backend", 1000),
                an_inbound("backend", 1001, state="NotReady"),
                an_inbound("backend", 1002, state="Ignored"),
                an_inbound("backend", 1003, health={"ready": False}),
                an_inbound("backend", 49151),
                an_inbound("other", 1004),
            ],
        ),
    )
    assert resolve_endpoints(view, "backend", ()) == EndpointSet(
        "backend", (Endpoint("1.2.3.4", 1000, TAGS), Endpoint("10.0.0.1", 8080, TAGS))
    )


def test_a_subset_has_endpoints_and_a_name_of_its_own() -> None:
    view = a_view(
        a_dataplane("one", address="10.0.0.1", tags={"version": "v1"}),
        a_dataplane("two", address="10.0.0.2", tags={"version": "v2"}),
    )
    found = resolve_endpoints(view, "backend", (("version", "v2"),))
    assert found.name.startswith("backend-")
    assert [each.address for each in found.endpoints] == ["10.0.0.2"]


def test_other_zones_come_second_where_locality_counts() -> None:
    dataplanes = (
        a_dataplane("one", address="10.0.0.2", tags={"kuma.io/zone": "east"}),
        a_dataplane("two", address="10.0.0.1", tags={"kuma.io/zone": "west"}),
    )
    mesh = a_mesh(spec={"routing": {"localityAwareLoadBalancing": True}})
    found = resolve_endpoints(a_view(mesh, *dataplanes, zone="east"), "backend", ()).endpoints
    assert [(each.zone, each.priority) for each in found] == [("east", 0), ("west", 1)]
    plain = resolve_endpoints(a_view(*dataplanes, zone="east"), "backend", ()).endpoints
    assert [(each.zone, each.priority) for each in plain] == [("", 0), ("", 0)]


@pytest.mark.parametrize(
    ("spoken", "common"),
    [
        (["http", "http"], Protocol.HTTP),
        (["grpc", "http2"], Protocol.HTTP2),
        (["grpc", "http"], Protocol.TCP),
        (["http2", "http"], Protocol.TCP),
        (["http", "kafka"], Protocol.TCP),
        ([], Protocol.TCP),
    ],
)
def test_the_protocol_is_what_all_endpoints_have_in_common(
    spoken: list[str], common: Protocol
) -> None:
    dataplanes = [a_dataplane(f"dp-{i}", protocol=each) for i, each in enumerate(spoken)]
    assert service_protocol(a_view(*dataplanes), "backend") is common


def test_a_service_whose_last_endpoint_fails_keeps_its_protocol() -> None:
    down = a_dataplane("one", inbounds=[an_inbound("backend", state="NotReady")])
    assert service_protocol(a_view(down), "backend") is Protocol.HTTP


def test_mutual_tls_names_the_service_and_the_subset() -> None:
    assert mutual_tls(a_view(mtls=True), "web", (("version", "v1"),)) == MutualTls(
        sni="web{mesh=default,version=v1}",
        sans=("spiffe://default/web",),
        identity_secret="identity_cert:secret:default",
        ca_secret="mesh_ca:secret:default",
    )
    assert mutual_tls(a_view(), "web", ()) is None


def test_the_tags_of_an_sni_are_sorted_with_the_mesh_among_them() -> None:
    assert build_sni("m", "web", (("a", "1"), ("z", "2"))) == "web{a=1,mesh=m,z=2}"


def test_a_permissive_mesh_waits_until_a_service_is_ready() -> None:
    mesh = a_mesh(permissive=True)
    assert mutual_tls(a_view(mesh, tls_ready=frozenset()), "web", ()) is None
    assert mutual_tls(a_view(mesh, tls_ready=frozenset({"web"})), "web", ()) is not None
    assert mutual_tls(a_view(mtls=True, tls_ready=frozenset()), "web", ()) is not None


WEB = a_dataplane("web-1", service="web", outbounds={9001: "httpbin"})


def test_an_external_service_is_resolved_by_envoy_with_tls_of_its_own() -> None:
    cert, key = a_key_pair()
    tls = {
        "enabled": True,
        "caCert": {"secret": "ca"},
        "clientCert": {"inlineString": cert.decode()},
        "clientKey": {"file": "/key"},
    }
    service = an_external_service(tls=tls)
    plan = plan_of("web-1", WEB, service, a_secret("ca", cert), files={"/key": key.reveal})
    (destination,) = plan.destinations
    assert isinstance(destination.endpoints, Resolved)
    assert [(each.address, each.port) for each in destination.endpoints.endpoints] == [
        ("httpbin.example.com", 443)
    ]
    found = destination.tls
    assert isinstance(found, ExternalTls)
    assert (found.server_name, found.ca, found.client_cert) == (
        "httpbin.example.com",
        cert,
        cert,
    )
    assert found.client_key == key
    assert messages(plan) == []


def test_what_an_external_service_lacks_is_told() -> None:
    tls = {"enabled": True, "caCert": {"secret": "gone"}, "clientKey": {"file": "/gone"}}
    plan = plan_of("web-1", WEB, an_external_service(tls=tls))
    assert messages(plan) == ['there is no secret "gone"', 'cannot read the file "/gone"']


@pytest.mark.parametrize(
    ("field", "pem", "message"),
    [
        ("caCert", "é", "holds no certificate in PEM"),
        ("clientCert", "-----BEGIN CERTIFICATE-----\n", "holds no certificate in PEM"),
        ("clientKey", "key", "holds no unencrypted key in PEM"),
        ("clientKey", "another", "is not the key of the client certificate"),
    ],
)
def test_what_envoy_would_not_read_is_told_and_nobody_is_called_without(
    field: str, pem: str, message: str
) -> None:
    cert, key = (each.decode() for each in (a_key_pair()[0], a_key_pair()[1].reveal))
    if pem == "another":
        pem = another_key()
    sources = {"caCert": cert, "clientCert": cert, "clientKey": key, field: pem}
    tls = {"enabled": True, **{name: {"inlineString": text} for name, text in sources.items()}}
    plan = plan_of("web-1", WEB, an_external_service(tls=tls))
    assert messages(plan) == [message]
    [found] = [each.tls for each in plan.destinations]
    assert isinstance(found, ExternalTls)
    assert (found.ca is None) is (field == "caCert")
    assert (found.client_cert is None) is (found.client_key is None) is (field != "caCert")
    assert [each.endpoints for each in plan.destinations] == [Resolved(())]


def another_key() -> str:
    made = ec.generate_private_key(ec.SECP256R1())
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def test_external_services_of_one_service_agree_on_tls() -> None:
    plan = plan_of(
        "web-1",
        WEB,
        an_external_service("a", tls={"enabled": True}),
        an_external_service("b", address="10.0.0.1:80"),
    )
    assert messages(plan) == [
        "external services of one service must agree on TLS; the first one's is used"
    ]


@pytest.mark.parametrize(
    ("patched", "matches"),
    [
        ({"value": "transport_socket_matches: []"}, True),
        ({"jsonPatches": [{"op": "remove", "path": "/transportSocketMatches"}]}, True),
        ({"value": "connect_timeout: 5s"}, False),
    ],
)
def test_tags_serve_the_choice_of_transport_sockets_where_a_patch_speaks_of_it(
    patched: dict[str, object], matches: bool
) -> None:
    cluster = {"operation": "Patch", "match": {"origin": "outbound"}, **patched}
    spec = {"default": {"appendModifications": [{"cluster": cluster}]}}
    view = a_view(a_dataplane("one"), a_policy("MeshProxyPatch", "patch", spec))

    assert resolve_endpoints(view, "backend", ()).matches_sockets is matches
