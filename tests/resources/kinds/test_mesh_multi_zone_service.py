"""What a MeshMultiZoneService accepts, and how it is shown."""

from typing import Any

import pytest

from kuma.resources.codec import to_document
from kuma.resources.kinds.mesh_multi_zone_service import MESH_MULTI_ZONE_SERVICE
from tests.resources.claims import Found, find_violations
from tests.support.builders import a_resource

SELECTOR = {"meshService": {"matchLabels": {"team": "shop"}}}


def spec(**fields: Any) -> dict[str, Any]:
    return {"spec": {"selector": SELECTOR, "ports": [{"port": 80}], **fields}}


def ports(*ports: dict[str, Any]) -> dict[str, Any]:
    return spec(ports=list(ports))


@pytest.mark.parametrize(
    "document",
    [
        spec(),
        ports({"port": 1, "name": "a", "appProtocol": "grpc"}, {"port": 65535}),
        *[ports({"port": 80, "appProtocol": each}) for each in ("http", "http2", "kafka", "tcp")],
    ],
)
def test_a_valid_mesh_multi_zone_service_is_accepted(document: dict[str, Any]) -> None:
    assert find_violations(MESH_MULTI_ZONE_SERVICE, document) == []


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            {"spec": {}},
            [("spec.selector", "must be defined"), ("spec.ports", "must be defined")],
        ),
        (spec(selector={}), [("spec.selector.meshService", "must be defined")]),
        (
            spec(selector={"meshService": {}}),
            [("spec.selector.meshService.matchLabels", "cannot be empty")],
        ),
        (
            spec(selector={"meshService": {"matchLabels": {}}}),
            [("spec.selector.meshService.matchLabels", "cannot be empty")],
        ),
        (spec(ports=[]), [("spec.ports", "cannot be empty")]),
        (ports({"name": "a"}), [("spec.ports[0].port", "must be defined")]),
        (ports({"port": 80, "name": ""}), [("spec.ports[0].name", "must not be empty")]),
        (
            ports({"port": 80, "appProtocol": "tls"}),
            [
                (
                    "spec.ports[0].appProtocol",
                    "appProtocol must be one of: grpc, http, http2, kafka, tcp",
                )
            ],
        ),
        (
            ports({"port": 0}, {"port": 65536}),
            [
                ("spec.ports[0].port", "port must be in the range [1, 65535]"),
                ("spec.ports[1].port", "port must be in the range [1, 65535]"),
            ],
        ),
        (
            ports({"port": 80}, {"port": 81}, {"port": 80, "name": "again"}),
            [("spec.ports[2].port", "80 is already the port of spec.ports[0]")],
        ),
    ],
)
def test_a_wrong_mesh_multi_zone_service_is_refused(
    document: dict[str, Any], expected: Found
) -> None:
    assert find_violations(MESH_MULTI_ZONE_SERVICE, document) == expected


def test_a_name_that_is_no_dns_label_is_told() -> None:
    warning, of_its_port = MESH_MULTI_ZONE_SERVICE.deprecations(
        a_resource(MESH_MULTI_ZONE_SERVICE, "1.api", spec()["spec"])
    )

    assert warning.startswith("Invalid MeshMultiZoneService resource name: '1.api'.")
    assert 'name "1.api" does not conform to RFC 1123' in of_its_port


def test_every_port_is_shown_with_its_server_name() -> None:
    document = ports({"port": 81}, {"port": 80, "name": "web"})

    shown = to_document(a_resource(MESH_MULTI_ZONE_SERVICE, "api", document["spec"]))

    assert shown["snis"] == [
        {"port": 80, "sni": "sni.mzsvc.default.api.web"},
        {"port": 81, "sni": "sni.mzsvc.default.api.81"},
    ]
