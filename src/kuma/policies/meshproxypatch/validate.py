"""What the schema of a MeshProxyPatch cannot say.

Values are read as what Envoy takes; their fields are looked at again when they meet a proxy.
"""

from collections.abc import Sequence

from kuma.policies.constraints import PROXIES, Found, is_system_policy
from kuma.policies.lists import validate_top
from kuma.policies.meshproxypatch.model import (
    AnyMod,
    ClusterMod,
    FilterOperation,
    HttpFilterMod,
    JsonPatchBlock,
    JsonPatchOp,
    ListenerMod,
    MeshProxyPatchSpec,
    Modification,
    NetworkFilterMod,
    ResourceOperation,
    VirtualHostMod,
)
from kuma.resources.resource import Resource
from kuma.resources.target_ref import TargetRefKind
from kuma.resources.violation import Violation, at

_DEFINED = "must be defined"
_UNDEFINED = "must not be defined"
_ADDED_BESIDE = {FilterOperation.ADD_BEFORE: "before", FilterOperation.ADD_AFTER: "after"}
_ADDED = {
    FilterOperation.ADD_FIRST,
    FilterOperation.ADD_LAST,
    *_ADDED_BESIDE,
    ResourceOperation.ADD,
}
_FIELDS = {
    ClusterMod: "cluster",
    ListenerMod: "listener",
    NetworkFilterMod: "networkFilter",
    HttpFilterMod: "httpFilter",
    VirtualHostMod: "virtualHost",
}


def validate(resource: Resource[MeshProxyPatchSpec]) -> Found:
    spec = resource.spec
    found: list[Violation] = []
    found += validate_top(
        spec.target_ref,
        kinds=(*PROXIES, TargetRefKind.MESH_GATEWAY) if is_system_policy(resource) else PROXIES,
    )
    modifications = spec.default.append_modifications or ()
    if not modifications:
        found.append(Violation("default.appendModifications", "must not be empty"))
    for index, each in enumerate(modifications):
        found += at(f"default.appendModifications[{index}]", _validate_modification(each))
    return at("spec", found)


def _validate_modification(modification: Modification) -> Sequence[Violation]:
    defined = modification.defined
    if len(defined) != 1:
        text = (
            "exactly one modification can be defined at a time. "
            f"Currently, {len(defined)} modifications are defined"
        )
        return [Violation("", text)]
    field = _FIELDS[type(defined[0])]
    return at(field, [*_validate_match(defined[0]), *_validate_content(defined[0], field)])


def _validate_match(mod: AnyMod) -> list[Violation]:
    match mod:
        case ClusterMod() | ListenerMod() if mod.operation is ResourceOperation.ADD and mod.match:
            return [Violation("match", _UNDEFINED)]
        case VirtualHostMod() if mod.operation is ResourceOperation.ADD and mod.match.name:
            return [Violation("match.name", _UNDEFINED)]
        case NetworkFilterMod() | HttpFilterMod() if mod.match is None or mod.match.name is None:
            if place := _ADDED_BESIDE.get(mod.operation):
                text = f"{_DEFINED}. You need to pick a filter {place} which this one will be added"
                return [Violation("match.name", text)]
            if mod.operation is FilterOperation.PATCH:
                return [Violation("match.name", _DEFINED)]
    return []


def _validate_content(mod: AnyMod, field: str) -> list[Violation]:
    if mod.operation in {ResourceOperation.REMOVE, FilterOperation.REMOVE}:
        return [] if mod.value is None else [Violation("value", _UNDEFINED)]
    if mod.operation in _ADDED:
        return [Violation("value", _DEFINED)] if mod.value is None else _validate_value(mod)
    if mod.value is not None and mod.json_patches:
        text = f"{field} must have only one type defined: value, jsonPatches"
        return [Violation("", text)]
    if mod.value is not None:
        return _validate_value(mod)
    if not mod.json_patches:
        text = f"{field} must have exactly one defined: value, jsonPatches"
        return [Violation("", text)]
    return [
        violation
        for index, block in enumerate(mod.json_patches)
        for violation in at(f"jsonPatches[{index}]", _validate_block(block))
    ]


def _validate_value(mod: AnyMod) -> list[Violation]:
    # Differs from Kuma: fields that Envoy does not have are refused.
    # Imported late: who only reads resources, kumactl above all, loads no protobuf.
    from kuma.policies.meshproxypatch.shape import find_value_error

    wrong = find_value_error(mod)
    return [Violation("value", f"native Envoy resource is not valid: {wrong}")] if wrong else []


def _validate_block(block: JsonPatchBlock) -> list[Violation]:
    found: list[Violation] = []
    moves = block.op in {JsonPatchOp.MOVE, JsonPatchOp.COPY}
    puts = block.op in {JsonPatchOp.ADD, JsonPatchOp.REPLACE}
    found += _only_with("from", '["move", "copy"]', there=block.from_ is not None, wanted=moves)
    found += _only_with("value", '["add", "replace"]', there=block.value is not None, wanted=puts)
    if block.op is JsonPatchOp.REMOVE and block.path in {"", "/"}:
        found.append(Violation("path", "root path cannot be removed"))
    return found


def _only_with(field: str, operations: str, *, there: bool, wanted: bool) -> list[Violation]:
    """A field that belongs to some operations alone, and is needed there."""
    if there is wanted:
        return []
    text = "must not be empty" if wanted else "is allowed only"
    return [Violation(field, f'"{field}" {text} when "op" is one of {operations}')]
