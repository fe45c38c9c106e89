"""What the schema of a MeshTrafficPermission cannot say."""

from kuma.policies.constraints import PROXIES, Found
from kuma.policies.lists import one_of_lists, validate_client, validate_top
from kuma.policies.meshtrafficpermission.model import MatchesConf, MeshTrafficPermissionSpec
from kuma.resources.match import validate_match
from kuma.resources.resource import Resource
from kuma.resources.target_ref import TargetRefKind
from kuma.resources.violation import Violation, at

_CLIENTS = (
    TargetRefKind.MESH,
    TargetRefKind.MESH_SUBSET,
    TargetRefKind.MESH_SERVICE,
    TargetRefKind.MESH_SERVICE_SUBSET,
)


def validate(resource: Resource[MeshTrafficPermissionSpec]) -> Found:
    spec = resource.spec
    lists = {"from": spec.from_, "rules": spec.rules}
    found: list[Violation] = []
    found += validate_top(
        spec.target_ref,
        kinds=PROXIES,
        is_inbound_policy=any(lists.values()),
    )
    found += one_of_lists(tuple(lists), [name for name, items in lists.items() if items])
    for index, rule in enumerate(spec.rules or ()):
        found += at(f"rules[{index}]", _validate_matches(rule.default))
    for index, item in enumerate(spec.from_ or ()):
        found += at(f"from[{index}].targetRef", validate_client(item.target_ref, _CLIENTS))
        if item.default.action is None:
            found.append(Violation(f"from[{index}].default.action", "must be defined"))
    return at("spec", found)


def _validate_matches(conf: MatchesConf) -> list[Violation]:
    """Kuma's paths leave out the `default` between the rule and its lists."""
    lists = {
        "allow": conf.allow or (),
        "allowWithShadowDeny": conf.allow_with_shadow_deny or (),
        "deny": conf.deny or (),
    }
    found: list[Violation] = []
    if not any(lists.values()):
        text = "at least one of 'allow', 'allowWithShadowDeny', 'deny' has to be defined"
        found.append(Violation("", text))
    for name, matches in lists.items():
        for index, match in enumerate(matches):
            found += at(f"{name}[{index}]", validate_match(match))
    return found
