"""Metrics are each proxy's own, and nothing else becomes so by them."""

from kuma.plan.machine import Machine
from kuma.policies.meshmetric.model import Metrics
from kuma.resolve.proxy import own_conf, sender_of
from tests.resolve.world import PLACEMENTS, PlainMeshView, a_policy
from tests.support.builders import a_dataplane, a_mesh

CONF = {"backends": [{"type": "Prometheus", "prometheus": {}}]}


def test_proxies_that_are_measured_send_alike() -> None:
    outbounds = {9001: "api"}
    resources = [
        a_mesh(),
        a_policy("MeshMetric", "metrics", {"default": CONF}),
        a_dataplane("web-1", service="web", address="10.0.0.1", outbounds=outbounds),
        a_dataplane("web-2", service="web", address="10.0.0.2", outbounds=outbounds),
        a_dataplane("api-1", service="api"),
    ]
    machine = Machine(work_dir="/tmp/a")
    view = PlainMeshView(resources, placements=PLACEMENTS, machine=machine)

    assert sender_of(view, "web-1") == sender_of(view, "web-2")
    one, other = (own_conf(view, name).get(Metrics) for name in ("web-1", "web-2"))
    assert one is not None
    assert other is not None
    assert dict(one.measured.labels)["dataplane"] == "web-1"
    assert (one.measured.address, other.measured.address) == ("10.0.0.1", "10.0.0.2")


def test_a_proxy_whose_kuma_dp_is_unknown_is_not_measured() -> None:
    resources = [
        a_mesh(),
        a_policy("MeshMetric", "metrics", {"default": CONF}),
        a_dataplane("web-1"),
    ]
    view = PlainMeshView(resources, placements=PLACEMENTS)
    assert own_conf(view, "web-1").get(Metrics) is None
