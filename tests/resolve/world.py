"""Meshes for tests of resolution."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kuma.kit.address_pool import AddressPool
from kuma.pipeline.virtual_outbounds import wanted_entries, with_addresses
from kuma.plan.proxy import Outbound, ProxyPlan
from kuma.policies.catalogue import REGISTRY
from kuma.policies.placements import PLACEMENTS
from kuma.resolve.plain_view import PlainMeshView
from kuma.resolve.proxy import resolve_proxy
from kuma.resources.kinds.config import CONFIG
from kuma.resources.kinds.mesh_external_service import MESH_EXTERNAL_SERVICE
from kuma.resources.kinds.mesh_service import MESH_SERVICE
from kuma.resources.kinds.service_status import with_vip
from kuma.resources.resource import AnyResource
from kuma.resources.virtual_outbounds import config_name, dump_entries
from tests.support.builders import a_mesh, a_resource

MESH_TARGET = {"kind": "Mesh"}


class RememberingView(PlainMeshView):
    """Remembers every derived fact, like the pipeline's view of a mesh that does not change."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.facts: dict[tuple[Any, ...], Any] = {}
        self.computed: list[str] = []

    def derive(self, compute: Callable[..., Any], args: tuple[Any, ...], /) -> Any:
        key = (compute, *args)
        if key not in self.facts:
            self.computed.append(compute.__name__)
            self.facts[key] = compute(self, *args)
        return self.facts[key]


def a_policy(kind: str, name: str, spec: Mapping[str, Any], **meta: Any) -> AnyResource:
    return a_resource(REGISTRY.kind(kind), name, spec, **meta)


def a_timeout(
    name: str, seconds: int, *, top: Mapping[str, Any] | None = None, **meta: Any
) -> AnyResource:
    """A request timeout towards everything, which tells who wins."""
    default = {"http": {"requestTimeout": f"{seconds}s"}}
    target = {} if top is None else {"targetRef": top}
    spec = {**target, "to": [{"targetRef": MESH_TARGET, "default": default}]}
    return a_policy("MeshTimeout", name, spec, **meta)


def a_permission(
    name: str,
    *rules: tuple[Mapping[str, Any], str],
    top: Mapping[str, Any] | None = None,
    **meta: Any,
) -> AnyResource:
    """`rules` are clients, each with an action."""
    entries = [{"targetRef": client, "default": {"action": action}} for client, action in rules]
    target = {} if top is None else {"targetRef": top}
    return a_policy("MeshTrafficPermission", name, {**target, "from": entries}, **meta)


def an_http_route(name: str, service: str, *rules: Mapping[str, Any], **meta: Any) -> AnyResource:
    to = [{"targetRef": {"kind": "MeshService", "name": service}, "rules": list(rules)}]
    return a_policy("MeshHTTPRoute", name, {"to": to}, **meta)


def virtual_outbounds(*services: str, external: Sequence[Any] = ()) -> AnyResource:
    """The Config in which these services, and ExternalServices, have addresses: 240.0.0.0 and on."""
    entries = wanted_entries(services, external).entries
    held, _ = with_addresses(entries, (), AddressPool("240.0.0.0/4"))
    return a_resource(CONFIG, config_name("default"), {"config": dump_entries(held)})


def a_mesh_service(name: str, vip: str = "", *ports: int, **meta: Any) -> AnyResource:
    """All of its ports speak HTTP; without ports it has 80."""
    found = [{"port": each, "appProtocol": "http"} for each in ports or (80,)]
    made: AnyResource = a_resource(MESH_SERVICE, name, {"ports": found}, **meta)
    return with_vip(made, vip) if vip else made


def an_external_mesh_service(name: str, vip: str, port: int = 443, **meta: Any) -> AnyResource:
    spec = {"match": {"port": port}, "endpoints": [{"address": "192.0.2.1", "port": 1}]}
    return with_vip(a_resource(MESH_EXTERNAL_SERVICE, name, spec, **meta), vip)


def a_view(*resources: AnyResource, mtls: bool = False, **options: Any) -> RememberingView:
    """A mesh is added unless there is one."""
    meshes = [each for each in resources if each.kind.name == "Mesh"]
    extra = [] if meshes else [a_mesh(mtls=mtls)]
    return RememberingView([*resources, *extra], placements=PLACEMENTS, **options)


def plan_of(name: str, *resources: AnyResource, **options: Any) -> ProxyPlan:
    return resolve_proxy(a_view(*resources, **options), name)


def the_outbound(plan: ProxyPlan, service: str) -> Outbound:
    found = [each for each in plan.outbounds if each.service == service]
    assert len(found) == 1
    return found[0]


def messages(plan: ProxyPlan) -> list[str]:
    return [each.message for each in plan.diagnostics]
