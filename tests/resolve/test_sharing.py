"""Proxies of one class share what they have in common: only the thin layer is their own."""

from dataclasses import replace

from kuma.plan.tls import MutualTls
from kuma.policies.defaults import default_policies
from kuma.policies.placements import PLACEMENTS
from kuma.resolve.naming import UNIFIED_NAMES
from kuma.resolve.proxy import resolve_proxy
from kuma.resolve.redirection import Said
from kuma.resources.kinds.mesh_identity import MESH_IDENTITY, MeshIdentityStatus
from tests.resolve.test_mesh_services import a_mesh_service
from tests.resolve.world import RememberingView, a_permission, a_timeout
from tests.support.builders import a_dataplane, a_mesh, a_resource

OWN = {"resolve_proxy", "sender_of", "received_by", "subject_of", "declared_outbounds"}


def test_the_second_proxy_of_a_class_computes_only_what_is_its_own() -> None:
    mesh = a_mesh(mtls=True)
    outbounds = {9001: "api", 9002: "db"}
    view = RememberingView(
        [
            mesh,
            *default_policies(mesh),
            a_permission("p", ({"kind": "Mesh"}, "Allow")),
            a_timeout("t", 1, top={"kind": "MeshService", "name": "web"}),
            a_dataplane("web-1", service="web", address="10.0.0.1", outbounds=outbounds),
            a_dataplane("web-2", service="web", address="10.0.0.2", port=9, outbounds=outbounds),
            a_dataplane("api-1", service="api", outbounds={9003: "db"}),
        ],
        placements=PLACEMENTS,
    )
    first = resolve_proxy(view, "web-1")
    view.computed.clear()
    second = resolve_proxy(view, "web-2")
    assert set(view.computed) == OWN
    assert second.outbounds is first.outbounds
    assert second.destinations is first.destinations
    assert second.inbounds[0].conf is first.inbounds[0].conf


def test_proxies_of_a_class_share_their_unified_names() -> None:
    outbounds = [{"port": 9001, "backendRef": {"kind": "MeshService", "name": "api", "port": 80}}]
    view = RememberingView(
        [
            a_mesh(mtls=True, spec={"meshServices": {"mode": "Exclusive"}}),
            a_mesh_service(),
            a_dataplane("web-1", service="web", address="10.0.0.1", outbounds=outbounds),
            a_dataplane("web-2", service="web", address="10.0.0.2", outbounds=outbounds),
        ],
        placements=PLACEMENTS,
    )
    first = resolve_proxy(view, "web-1", Said((UNIFIED_NAMES,)))
    view.computed.clear()
    second = resolve_proxy(view, "web-2", Said((UNIFIED_NAMES,)))
    assert set(view.computed) == OWN
    assert second.outbounds is first.outbounds
    assert second.destinations is first.destinations


def test_proxies_that_match_different_policies_do_not_share_them() -> None:
    view = RememberingView(
        [
            a_mesh(),
            a_timeout("t", 1, top={"kind": "MeshService", "name": "web"}),
            a_dataplane("web-1", service="web", outbounds={9001: "db"}),
            a_dataplane("api-1", service="api", outbounds={9001: "db"}),
        ],
        placements=PLACEMENTS,
    )
    web, api = resolve_proxy(view, "web-1"), resolve_proxy(view, "api-1")
    assert web.outbounds != api.outbounds


def test_proxies_of_one_identity_share_all_but_the_certificate() -> None:
    ready = {"conditions": [{"type": "Ready", "status": "True", "reason": "Ready"}]}
    spec = {
        "selector": {"dataplane": {}},
        "provider": {"type": "Bundled", "bundled": {"autogenerate": {"enabled": True}}},
    }
    identity = replace(
        a_resource(MESH_IDENTITY, "identity", spec),
        status=MeshIdentityStatus.model_validate(ready),
    )
    proxies = [
        a_dataplane(
            name,
            service="web",
            address=f"10.0.0.{last}",
            outbounds={9001: "api"},
            labels={"kuma.io/workload": "web", "host": name},
        )
        for name, last in (("web-1", 1), ("web-2", 2))
    ]
    api = a_dataplane("api-1", service="api", labels={"kuma.io/workload": "api"})
    view = RememberingView([a_mesh(), identity, *proxies, api], zone="east", placements=PLACEMENTS)
    first = resolve_proxy(view, "web-1")
    view.computed.clear()

    second = resolve_proxy(view, "web-2")

    assert set(view.computed) == OWN
    assert second.destinations is first.destinations
    tls = first.destinations[0].tls
    assert isinstance(tls, MutualTls)
    assert tls.sans == (
        "spiffe://default.east.mesh.local/workload/api",
        "spiffe://default/api",
    )
