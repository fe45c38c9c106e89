"""What a MeshTrust accepts."""

from collections.abc import Mapping
from typing import Any

import pytest

from kuma.resources.codec import parse_document
from kuma.resources.kinds.mesh_trust import MESH_TRUST
from tests.resources.claims import REGISTRY, Found, find_violations

BUNDLE = {"type": "Pem", "pem": {"value": "-----BEGIN CERTIFICATE-----"}}
KEY = {"type": "Pem", "pem": {"value": "-----BEGIN RSA PRIVATE KEY-----"}}
GOOD = {"trustDomain": "a.mesh.local", "caBundles": [BUNDLE]}


def test_a_valid_trust_is_accepted() -> None:
    assert find_violations(MESH_TRUST, {"spec": GOOD}) == []
    assert find_violations(MESH_TRUST, {"spec": {**GOOD, "caBundles": [BUNDLE, BUNDLE]}}) == []


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"trustDomain": ""}, [("spec.trustDomain", "trustDomain needs to be defined")]),
        (
            {"trustDomain": "spiffe://a"},
            [("spec.trustDomain", 'must be a name without "spiffe://" and path')],
        ),
        (
            {"trustDomain": "A b"},
            [
                (
                    "spec.trustDomain",
                    "trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores",
                )
            ],
        ),
        (
            {"trustDomain": "a" * 254},
            [("spec.trustDomain", "string should have at most 253 characters")],
        ),
        ({"caBundles": [{"type": "Pem"}]}, [("spec.caBundles[0].pem", "must be defined")]),
        (
            {"caBundles": [BUNDLE, {"type": "Der"}]},
            [("spec.caBundles[1].type", "unsupported value, must be 'Pem'")],
        ),
        (
            {"caBundles": [KEY]},
            [("spec.caBundles[0].pem.value", "must not contain a private key")],
        ),
    ],
)
def test_a_wrong_trust_is_refused(changed: Mapping[str, Any], expected: Found) -> None:
    assert find_violations(MESH_TRUST, {"spec": {**GOOD, **changed}}) == expected


def test_a_trust_without_authorities_is_refused() -> None:
    [(field, _)] = find_violations(MESH_TRUST, {"spec": {**GOOD, "caBundles": []}})
    assert field == "spec.caBundles"


def test_whoever_writes_an_origin_is_told_that_it_is_without_effect() -> None:
    spec = {**GOOD, "origin": {"kri": "kri_mid_default___x_"}}
    document = {"type": "MeshTrust", "mesh": "default", "name": "one", "spec": spec}
    resource = parse_document(REGISTRY, document)
    assert MESH_TRUST.deprecations(resource) == ("setting spec.origin field is deprecated",)
