"""What a MeshService accepts, and how it is shown."""

from collections.abc import Mapping
from typing import Any

import pytest

from kuma.resources.codec import parse_document, to_document
from kuma.resources.kinds.mesh_service import MESH_SERVICE
from tests.resources.claims import REGISTRY, Found, find_violations
from tests.support.builders import a_resource

PORTS = [{"name": "web", "port": 81}, {"port": 80}]


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"selector": {"dataplaneTags": {"kuma.io/service": "api"}}, "ports": PORTS},
        {"selector": {"dataplaneRef": {}}},
        {"selector": {"dataplaneLabels": {"matchLabels": {"a": "b"}}}},
        {"ports": [{"port": 80, "targetPort": "web", "appProtocol": "unheard-of"}]},
        {"state": "Available", "identities": [{"type": "SpiffeID", "value": "spiffe://a/b"}]},
    ],
)
def test_a_valid_mesh_service_is_accepted(spec: Mapping[str, Any]) -> None:
    assert find_violations(MESH_SERVICE, {"spec": spec}) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            {"selector": {"dataplaneTags": {}, "dataplaneRef": {"name": "a"}}},
            [
                (
                    "spec.selector",
                    "must specify only one of: dataplaneTags, dataplaneRef, or dataplaneLabels",
                )
            ],
        ),
        ({"ports": [{"name": "a"}]}, [("spec.ports[0].port", "must be defined")]),
        ({"ports": [{"port": "80"}]}, [("spec.ports[0].port", "must be an integer")]),
        (
            {"ports": [{"port": -1}, {"port": 65536}]},
            [
                ("spec.ports[0].port", "port must be in the range [1, 65535]"),
                ("spec.ports[1].port", "port must be in the range [1, 65535]"),
            ],
        ),
        (
            {"state": "Up"},
            [("spec.state", "unsupported value, must be 'Available' or 'Unavailable'")],
        ),
    ],
)
def test_a_wrong_mesh_service_is_refused(spec: Mapping[str, Any], expected: Found) -> None:
    assert find_violations(MESH_SERVICE, {"spec": spec}) == expected


def test_what_is_empty_is_stored_as_if_left_out() -> None:
    spec = {"selector": {"dataplaneRef": {"name": ""}}, "ports": []}
    document = to_document(a_resource(MESH_SERVICE, "web", spec))
    assert document["spec"] == {"state": "Unavailable", "selector": {"dataplaneRef": {}}}


def test_a_name_must_fit_into_a_dns_label() -> None:
    found = find_violations(MESH_SERVICE, {"spec": {}}, name="a" * 64)

    assert found == [("name", "must not be longer than 63 characters")]


def test_every_port_is_shown_with_its_server_name_and_can_be_written_back() -> None:
    labels = {"kuma.io/zone": "east"}

    shown = to_document(a_resource(MESH_SERVICE, "api", {"ports": PORTS}, labels=labels))

    assert shown["snis"] == [
        {"port": 80, "sni": "sni.msvc.default.east.api.80"},
        {"port": 81, "sni": "sni.msvc.default.east.api.web"},
    ]
    assert parse_document(REGISTRY, shown).spec == MESH_SERVICE.spec.model_validate(
        {"ports": PORTS}
    )


def test_a_server_name_that_is_none_in_dns_is_told() -> None:
    ports = [{"port": 80, "name": "Main"}, {"port": 81}]
    (warning,) = MESH_SERVICE.deprecations(a_resource(MESH_SERVICE, "api", {"ports": ports}))
    assert warning.startswith(
        'Invalid MeshService SNI (port "Main"): a lowercase RFC 1123 label must consist of'
    )


def test_a_namespace_is_part_of_the_server_name_beside_a_zone() -> None:
    labels = {"kuma.io/zone": "east", "k8s.kuma.io/namespace": "shop"}
    ports = [{"port": 80}]

    with_zone = to_document(a_resource(MESH_SERVICE, "api", {"ports": ports}, labels=labels))
    del labels["kuma.io/zone"]
    without = to_document(a_resource(MESH_SERVICE, "api", {"ports": ports}, labels=labels))

    assert with_zone["snis"][0]["sni"] == "sni.msvc.default.east.shop.api.80"
    assert without["snis"][0]["sni"] == "sni.msvc.default.api.80"
