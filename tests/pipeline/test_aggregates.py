"""Insights of meshes and services are counted from what is there at this moment."""

from typing import Any

from kuma.pipeline.aggregates import Aggregates
from kuma.policies.catalogue import REGISTRY
from tests.support.builders import (
    a_dataplane,
    a_dataplane_insight,
    a_mesh,
    an_external_service,
    an_inbound,
)
from tests.support.site import Site

MTLS = {"mTLS": {"issuedBackend": "ca-1", "supportedBackends": ["ca-1"]}}


def aggregates(site: Site) -> Aggregates:
    return Aggregates(site.replica, REGISTRY, site.clock)


async def a_small_mesh(site: Site, **mesh: Any) -> None:
    half = [an_inbound("api", 8080), an_inbound("api", 8082, state="NotReady")]
    await site.create(
        a_mesh(**mesh),
        a_dataplane("api-1", service="api"),
        a_dataplane_insight("api-1", spec=MTLS),
        a_dataplane("api-2", service="api"),
        a_dataplane_insight("api-2", online=False),
        a_dataplane("api-3", inbounds=half),
        a_dataplane_insight("api-3"),
        a_dataplane("edge", gateway="edge"),
        a_dataplane_insight("edge"),
        an_external_service("httpbin", service="httpbin"),
    )


async def test_a_mesh_insight_counts_proxies_by_state_and_type(site: Site) -> None:
    await a_small_mesh(site)

    found: Any = aggregates(site).mesh_insight("default")

    assert found.spec.to_json() == {
        "dataplanes": {"total": 4, "online": 2, "offline": 1, "partiallyDegraded": 1},
        "dataplanesByType": {
            "standard": {"total": 3, "online": 1, "offline": 1, "partiallyDegraded": 1},
            "gateway": {"total": 1, "online": 1},
            "gatewayDelegated": {"total": 1, "online": 1},
            "gatewayBuiltin": {},
        },
        "dpVersions": {
            "kumaDp": {"unknown": {"total": 4, "online": 2, "offline": 1, "partiallyDegraded": 1}},
            "envoy": {"unknown": {"total": 4, "online": 2, "offline": 1, "partiallyDegraded": 1}},
        },
        "mTLS": {
            "issuedBackends": {"ca-1": {"total": 1, "online": 1}},
            "supportedBackends": {"ca-1": {"total": 1, "online": 1}},
        },
        "services": {"total": 3, "internal": 2, "external": 1},
        "resources": {"Dataplane": {"total": 4}, "ExternalService": {"total": 1}},
    }


async def test_there_is_no_insight_of_a_mesh_that_is_not_there(site: Site) -> None:
    assert aggregates(site).mesh_insight("nowhere") is None


async def test_services_have_a_status_and_a_type(site: Site) -> None:
    await a_small_mesh(site)

    found = {each.name: each.spec.to_json() for each in aggregates(site).service_insights()}

    assert found["api"]["status"] == "partially_degraded"
    assert found["api"]["issuedBackends"] == {"ca-1": 1}
    assert found["api"]["addressPort"] == "api.mesh:80"
    assert found["edge"]["serviceType"] == "gateway_delegated"
    assert found["edge"]["status"] == "online"
    assert "addressPort" not in found["edge"], "nobody calls it in the mesh"
    assert found["httpbin"]["serviceType"] == "external"
    assert found["httpbin"]["status"] == "not_available"
    assert found["httpbin"]["addressPort"] == "httpbin.example.com:443"


async def test_services_that_are_resources_are_not_counted_by_their_tags(site: Site) -> None:
    await a_small_mesh(site, spec={"meshServices": {"mode": "Exclusive"}})

    assert [each.name for each in aggregates(site).service_insights()] == ["edge"]
    found = aggregates(site).mesh_insight("default")
    assert found is not None
    assert "services" not in found.spec.to_json()


async def test_the_global_insight_sums_up_all_meshes(site: Site) -> None:
    await a_small_mesh(site)
    await site.create(a_mesh("other"), a_dataplane("x", mesh="other"))

    found = aggregates(site).global_insight()

    assert found["meshes"] == {"total": 2}
    assert found["dataplanes"]["standard"] == {
        "online": 1,
        "offline": 2,
        "partiallyDegraded": 1,
        "total": 4,
    }
    assert found["services"]["external"] == {"total": 1}
    assert found["services"]["internal"]["total"] == 2
    assert found["resources"]["Dataplane"] == {"total": 5}
