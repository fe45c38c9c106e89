"""What a proxy calls itself, and that only those who have to say it are told apart."""

from typing import Any

from kuma.policies.catalogue import REGISTRY
from kuma.policies.meshtrace.model import Trace
from kuma.policies.placements import PLACEMENTS
from kuma.resolve.plain_view import PlainMeshView
from kuma.resolve.proxy import sender_of
from kuma.resolve.reporter import reporter_of
from kuma.resources.codec import parse_document

MESH = {"type": "Mesh", "name": "default"}
BACKEND = {"type": "Zipkin", "zipkin": {"url": "http://zipkin:9411/api/v2/spans"}}
POLICY = {
    "type": "MeshTrace",
    "mesh": "default",
    "name": "a-trace",
    "spec": {"default": {"backends": [BACKEND]}},
}


def a_dataplane(name: str, *services: str, **labels: str) -> dict[str, Any]:
    inbound = [
        {"port": 8080 + at, "tags": {"kuma.io/service": service}}
        for at, service in enumerate(services)
    ]
    return {
        "type": "Dataplane",
        "mesh": "default",
        "name": name,
        "labels": {key.replace("__", "/").replace("_", "."): text for key, text in labels.items()},
        "networking": {"address": "192.168.0.1", "inbound": inbound},
    }


def a_view(*documents: dict[str, Any]) -> PlainMeshView:
    resources = [parse_document(REGISTRY, each) for each in (MESH, *documents)]
    return PlainMeshView(resources, placements=PLACEMENTS)


def test_the_first_service_by_name_reports() -> None:
    view = a_view(a_dataplane("one", "web", "admin", kuma_io__workload="shop"))
    reporter = reporter_of(view, "one")

    assert (reporter.mesh, reporter.service) == ("default", "admin")
    assert reporter.workload == f"kri_wl_default_{view.zone}__shop_"


def test_without_a_workload_it_is_left_out() -> None:
    assert reporter_of(a_view(a_dataplane("one", "web")), "one").workload == ""


def test_proxies_that_are_not_traced_share_whatever_they_are_called() -> None:
    view = a_view(a_dataplane("one", "web"), a_dataplane("two", "api"))

    assert sender_of(view, "one") == sender_of(view, "two")


def test_traced_proxies_share_with_those_of_their_name() -> None:
    view = a_view(
        POLICY, a_dataplane("one", "web"), a_dataplane("two", "api"), a_dataplane("three", "web")
    )
    one, two, three = (sender_of(view, name) for name in ("one", "two", "three"))

    assert one == three != two
    assert one is not None
    trace = one.conf.get(Trace)
    assert trace is not None
    assert trace.reporter.service == "web"
