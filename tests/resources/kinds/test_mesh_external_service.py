"""What a MeshExternalService accepts."""

from typing import Any

import pytest

from kuma.resources.kinds.mesh_external_service import MESH_EXTERNAL_SERVICE
from tests.resources.claims import Found, find_violations

MATCH = {"port": 443}
SOURCE = {"inlineString": "pem"}


def spec(**fields: Any) -> dict[str, Any]:
    return {"spec": {"match": MATCH, **fields}}


def tls(**fields: Any) -> dict[str, Any]:
    return spec(tls={"enabled": True, **fields})


@pytest.mark.parametrize(
    "document",
    [
        spec(),
        spec(endpoints=[{"address": "192.0.2.1", "port": 1}, {"address": "a.b", "port": 65535}]),
        spec(endpoints=[{"address": "::1", "port": 1, "priority": 128}]),
        spec(match={"type": "HostnameGenerator", "port": 1, "protocol": "grpc"}),
        tls(version={"min": "TLS12", "max": "TLSAuto"}, allowRenegotiation=True),
        tls(verification={"clientCert": SOURCE, "clientKey": SOURCE, "mode": "SkipSAN"}),
    ],
)
def test_a_valid_one_is_accepted(document: dict[str, Any]) -> None:
    assert find_violations(MESH_EXTERNAL_SERVICE, document) == []


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"spec": {}}, [("spec.match", "must be defined")]),
        (
            spec(endpoints=[{"address": "not an address", "port": 1}]),
            [("spec.endpoints[0].address", "address has to be a valid IP or hostname")],
        ),
        (
            spec(extension={"type": "Lambda"}),
            [
                (
                    "spec.extension",
                    "is not supported by this version (extensions of MeshExternalService)",
                )
            ],
        ),
        (
            tls(version={"min": "TLS13", "max": "TLS12"}),
            [("spec.tls.version.min", "min version must be lower than max")],
        ),
        (
            tls(verification={"serverName": "a b", "clientCert": SOURCE}),
            [
                ("spec.tls.verification.serverName", "must be a valid DNS name"),
                (
                    "spec.tls.verification.clientKey",
                    "must be defined when clientCert is defined",
                ),
            ],
        ),
        (
            tls(verification={"serverName": "1.2.3.4"}),
            [("spec.tls.verification.serverName", "must be a valid DNS name")],
        ),
        (
            tls(verification={"clientKey": SOURCE}),
            [("spec.tls.verification.clientCert", "must be defined when clientKey is defined")],
        ),
        (
            tls(verification={"caCert": {**SOURCE, "secret": ""}}),
            [
                (
                    "spec.tls.verification.caCert",
                    "only one of inline, inlineString and secret can be set",
                )
            ],
        ),
    ],
)
def test_a_wrong_one_is_refused(document: dict[str, Any], expected: Found) -> None:
    assert find_violations(MESH_EXTERNAL_SERVICE, document) == expected


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (spec(match={"port": 0}), "spec.match.port"),
        (spec(match={"port": 70000}), "spec.match.port"),
        (spec(match={"port": 1, "protocol": "udp"}), "spec.match.protocol"),
        (spec(endpoints=[{"address": "", "port": 1}]), "spec.endpoints[0].address"),
        (
            spec(endpoints=[{"address": "a", "port": 1, "priority": 129}]),
            "spec.endpoints[0].priority",
        ),
        (tls(verification={"mode": "Never"}), "spec.tls.verification.mode"),
        (tls(verification={"caCert": {"inline": ""}}), "spec.tls.verification.caCert.inline"),
        (tls(verification={"caCert": {"inline": 1}}), "spec.tls.verification.caCert.inline"),
    ],
)
def test_a_value_out_of_its_range_is_refused_there(document: dict[str, Any], field: str) -> None:
    assert [path for path, _ in find_violations(MESH_EXTERNAL_SERVICE, document)] == [field]


def test_a_name_has_63_characters_at_most() -> None:
    assert find_violations(MESH_EXTERNAL_SERVICE, spec(), name="n" * 63) == []
    found = find_violations(MESH_EXTERNAL_SERVICE, spec(), name="n" * 64)
    assert found == [("name", "must not be longer than 63 characters")]
