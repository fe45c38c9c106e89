"""MeshExternalServices as destinations: which TLS each mode of verification asks for."""

import base64
from collections.abc import Mapping
from typing import Any

import pytest

from kuma.plan.endpoint import Endpoint
from kuma.plan.protocol import Protocol
from kuma.plan.proxy import Destination, Resolved
from kuma.plan.tls import AlsoKnownAs, ExternalTls
from kuma.resources.kinds.mesh_external_service import MESH_EXTERNAL_SERVICE
from kuma.resources.resource import AnyResource
from tests.resolve.world import messages, plan_of
from tests.support.builders import a_dataplane, a_mesh, a_resource, a_secret
from tests.support.envoy_static import a_key_pair

CLIENT = a_dataplane(
    "client", outbounds=[{"port": 9001, "backendRef": {"kind": "MeshExternalService", "name": "x"}}]
)
CERT, KEY = a_key_pair()
CERTIFICATES = {
    "caCert": {"inlineString": CERT.decode()},
    "clientCert": {"inline": base64.b64encode(CERT).decode()},
    "clientKey": {"secret": "key"},
}


def a_service(**spec: Any) -> AnyResource:
    endpoints = [{"address": "a.example.com", "port": 443}]
    raw = {"match": {"port": 80, "protocol": "http"}, "endpoints": endpoints, **spec}
    return a_resource(MESH_EXTERNAL_SERVICE, "x", raw)


def the_destination(*resources: AnyResource) -> Destination:
    [found] = plan_of("client", CLIENT, *resources).destinations
    return found


def tls_of(verification: Mapping[str, Any]) -> Any:
    tls = {"enabled": True, "verification": verification}
    return the_destination(a_service(tls=tls), a_secret("key", KEY.reveal)).tls


def test_endpoints_are_called_where_they_are() -> None:
    found = the_destination(a_service())

    assert found.name == "default_x___extsvc_80"
    assert found.protocol is Protocol.HTTP
    assert found.endpoints == Resolved((Endpoint("a.example.com", 443),))
    assert found.tls is None


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (
            "Secured",
            ExternalTls(
                "b.example.com",
                ca=CERT,
                client_cert=CERT,
                client_key=KEY,
                names=(AlsoKnownAs("c", is_prefix=True),),
            ),
        ),
        (
            "SkipSAN",
            ExternalTls(
                "",
                ca=CERT,
                client_cert=CERT,
                client_key=KEY,
                skip_hostname_verification=True,
            ),
        ),
        (
            "SkipCA",
            ExternalTls(
                "b.example.com",
                client_cert=CERT,
                client_key=KEY,
                skip_ca_verification=True,
                names=(AlsoKnownAs("c", is_prefix=True),),
            ),
        ),
        (
            "SkipAll",
            ExternalTls("", skip_hostname_verification=True, skip_ca_verification=True),
        ),
    ],
)
def test_the_mode_decides_what_is_verified(mode: str, expected: ExternalTls) -> None:
    names = [{"type": "Prefix", "value": "c"}]
    verification = {
        **CERTIFICATES,
        "mode": mode,
        "serverName": "b.example.com",
        "subjectAltNames": names,
    }

    assert tls_of(verification) == expected


def test_a_secret_that_is_missing_is_told_and_nobody_is_called_without() -> None:
    tls = {"enabled": True, "verification": {"caCert": {"secret": "nothing"}}}
    plan = plan_of("client", CLIENT, a_service(tls=tls))

    assert messages(plan) == ['there is no secret "nothing"']
    assert plan.destinations[0].tls == ExternalTls("")
    assert plan.destinations[0].endpoints == Resolved(())


def test_without_endpoints_there_is_a_destination_that_refuses() -> None:
    assert the_destination(a_service(endpoints=None)).endpoints == Resolved(())


def test_a_mesh_may_forbid_all_of_them() -> None:
    mesh = a_mesh(spec={"routing": {"defaultForbidMeshExternalServiceAccess": True}})

    assert the_destination(mesh, a_service()).endpoints == Resolved(())
