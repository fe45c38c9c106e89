"""What the schema of a MeshTLS cannot say."""

from functools import partial

from kuma.policies.constraints import Found
from kuma.policies.lists import one_of_lists, validate_items, validate_top
from kuma.policies.meshtls.model import MeshTlsSpec, TlsConf, Version, Versions
from kuma.resources.resource import Resource
from kuma.resources.target_ref import WHOLE_MESH, TargetRefKind
from kuma.resources.violation import Violation, at

_PROXIES = (TargetRefKind.MESH, TargetRefKind.MESH_SUBSET, TargetRefKind.DATAPLANE)
_MESH = (TargetRefKind.MESH,)


def validate(resource: Resource[MeshTlsSpec]) -> Found:
    spec = resource.spec
    for_mesh = (spec.target_ref or WHOLE_MESH).kind is TargetRefKind.MESH
    found: list[Violation] = []
    found += validate_top(
        spec.target_ref, kinds=_PROXIES, is_inbound_policy=bool(spec.from_ or spec.rules)
    )
    if spec.from_ and spec.rules:
        found += one_of_lists(("from", "rules"), ("from", "rules"))
    check = partial(_validate_conf, for_mesh=for_mesh)
    for index, rule in enumerate(spec.rules or ()):
        found += at(f"rules[{index}].default", check(rule.default))
    found += validate_items("from", spec.from_, _MESH, check)
    return at("spec", found)


def _validate_conf(conf: TlsConf, *, for_mesh: bool) -> list[Violation]:
    found: list[Violation] = []
    if not for_mesh:
        for field, value in (("tlsCiphers", conf.tls_ciphers), ("tlsVersion", conf.tls_version)):
            if value:
                text = f"{field} can only be defined with top level targetRef kind: Mesh"
                found.append(Violation(field, text))
    elif conf.tls_version is not None and _is_contradiction(conf.tls_version):
        found.append(Violation("tlsVersion.min", "min version must be lower than max"))
    return found


def _is_contradiction(versions: Versions) -> bool:
    return Version.AUTO not in {versions.min, versions.max} and versions.min > versions.max
