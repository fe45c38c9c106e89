"""Proxies send their tags along where somebody looks at them, and nowhere else."""

from typing import Any

import pytest

from tests.resolve.world import a_policy, plan_of, the_outbound
from tests.support.builders import a_dataplane, an_inbound

MESH = {"kind": "Mesh"}
BY_TAGS = {"kind": "MeshSubset", "tags": {"version": "v1"}}
CLIENT = a_dataplane(
    "dp",
    inbounds=[
        an_inbound("web", 8080, tags={"version": "v2"}),
        an_inbound("web", 8081, protocol="tcp", tags={"version": "v1"}),
    ],
    outbounds={9000: "web"},
)


def faults(*clients: dict[str, Any]) -> Any:
    items = [{"targetRef": client, "default": {}} for client in clients]
    target = {"kind": "Mesh", "proxyTypes": ["Sidecar"]}
    return a_policy("MeshFaultInjection", "p", {"targetRef": target, "from": items})


def permission(*clients: dict[str, Any]) -> Any:
    items = [{"targetRef": client, "default": {"action": "Allow"}} for client in clients]
    return a_policy("MeshTrafficPermission", "p", {"from": items})


def test_every_value_of_a_tag_is_sent() -> None:
    plan = plan_of("dp", CLIENT, faults(MESH, BY_TAGS))

    assert the_outbound(plan, "web").client_tags == (
        ("kuma.io/protocol", "http,tcp"),
        ("kuma.io/service", "web"),
        ("version", "v1,v2"),
    )


@pytest.mark.parametrize("policy", [faults(MESH), permission(BY_TAGS)])
def test_nothing_is_sent_where_clients_are_not_told_apart_by_tags(policy: Any) -> None:
    assert the_outbound(plan_of("dp", CLIENT, policy), "web").client_tags == ()


def test_with_mutual_tls_the_certificate_tells() -> None:
    plan = plan_of("dp", CLIENT, faults(BY_TAGS), mtls=True)

    assert the_outbound(plan, "web").client_tags == ()
