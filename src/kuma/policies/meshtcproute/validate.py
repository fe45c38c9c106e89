"""What the schema of a MeshTCPRoute cannot say."""

from kuma.policies.backend_refs import destination_kinds, validate_backend_refs
from kuma.policies.constraints import PROXIES, Found, is_system_policy
from kuma.policies.lists import validate_top
from kuma.policies.meshtcproute.model import MeshTCPRouteSpec, TcpRouteConf
from kuma.resources.resource import Resource
from kuma.resources.target_ref import WHOLE_MESH, TargetRefKind, validate_target_ref
from kuma.resources.violation import Violation, at


def validate(resource: Resource[MeshTCPRouteSpec]) -> Found:
    spec = resource.spec
    top = spec.target_ref or WHOLE_MESH
    found: list[Violation] = []
    found += validate_top(
        spec.target_ref,
        kinds=(*PROXIES, TargetRefKind.MESH_GATEWAY) if is_system_policy(resource) else PROXIES,
        gateway_tags_allowed=is_system_policy(resource),
    )
    for index, item in enumerate(spec.to or ()):
        kinds = destination_kinds(top.kind)
        found += at(f"to[{index}].targetRef", validate_target_ref(item.target_ref, kinds=kinds))
        for position, rule in enumerate(item.rules):
            path = f"to[{index}].rules[{position}].default.backendRefs"
            found += at(path, _validate_conf(rule.default))
    return at("spec", found)


def _validate_conf(conf: TcpRouteConf) -> list[Violation]:
    if not conf.backend_refs:
        return [Violation("", "must be defined")]
    return validate_backend_refs(conf.backend_refs)
