"""Who an Envoy says it is."""

import pytest
from envoy.config.core.v3.base_pb2 import Node

from kuma.pipeline.delivery import ProxyNode, ProxyRefused
from kuma.xds.node import parse_node


def test_metadata_becomes_plain_values() -> None:
    node = Node(id="default.web-01.demo")
    node.metadata.update(
        {
            "dataplane.admin.port": "9901",
            "port": 9901,
            "ratio": 0.5,
            "nothing": None,
            "features": ["feature-delta-grpc", "feature-spire"],
            "version": {"kumaDp": {"version": "2.14.3"}, "compatible": True},
        }
    )
    assert parse_node(node) == ProxyNode(
        node_id="default.web-01.demo",
        mesh="default",
        name="web-01.demo",
        metadata={
            "dataplane.admin.port": "9901",
            "port": 9901,
            "ratio": 0.5,
            "nothing": None,
            "features": ["feature-delta-grpc", "feature-spire"],
            "version": {"kumaDp": {"version": "2.14.3"}, "compatible": True},
        },
    )


def test_zone_proxies_have_no_mesh() -> None:
    node = parse_node(Node(id=".ingress-1"))
    assert (node.mesh, node.name) == ("", "ingress-1")


@pytest.mark.parametrize("node_id", ["", "default", "default."])
def test_an_identifier_without_a_name_is_refused(node_id: str) -> None:
    with pytest.raises(ProxyRefused, match="is not of the form") as refusal:
        parse_node(Node(id=node_id))
    assert refusal.value.status == "invalid_argument"
