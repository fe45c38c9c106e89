"""Who a proxy is makes its own only what is logged."""

from typing import Any

from kuma.plan.logged import LoggedAs
from kuma.plan.proxy import ProxyPlan
from tests.resolve.world import MESH_TARGET, PLACEMENTS, PlainMeshView, a_policy, resolve_proxy
from tests.support.builders import a_dataplane, a_mesh

CONF = {"backends": [{"type": "File", "file": {"path": "/tmp/log"}}]}


def plans(spec: dict[str, Any]) -> tuple[ProxyPlan, ProxyPlan]:
    """Those of two proxies of one service."""
    outbounds = {9001: "api"}
    resources = [
        a_mesh(),
        a_policy("MeshAccessLog", "log", spec),
        a_dataplane("web-1", service="web", address="10.0.0.1", outbounds=outbounds),
        a_dataplane("web-2", service="web", address="10.0.0.2", outbounds=outbounds),
        a_dataplane("api-1", service="api"),
    ]
    view = PlainMeshView(resources, placements=PLACEMENTS)
    return resolve_proxy(view, "web-1"), resolve_proxy(view, "web-2")


def test_logged_calls_tell_who_makes_them() -> None:
    one, other = plans({"to": [{"targetRef": MESH_TARGET, "default": CONF}]})

    assert one.outbounds[0].conf.get(LoggedAs) == LoggedAs("default", "", "web", "10.0.0.1")
    assert one.outbounds != other.outbounds
    assert one.destinations == other.destinations
    assert one.inbounds[0].conf == other.inbounds[0].conf


def test_proxies_whose_calls_are_not_logged_share_their_outbounds() -> None:
    one, other = plans({"rules": [{"default": CONF}]})

    assert one.outbounds == other.outbounds
    assert one.inbounds[0].conf.get(LoggedAs) == LoggedAs("default", "", "web", "10.0.0.1")
