"""The constraints that Envoy's API declares on its fields, which Envoy checks before it takes anything.

Knowing of a violation before sending keeps a mistake in what people write from a proxy, which would
refuse the resource as a whole.
Source: https://github.com/bufbuild/protoc-gen-validate, as far as Envoy's API uses it; patterns and
formats of text are left to Envoy.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError, Message
from validate import validate_pb2

from kuma.envoy.known_types import find_type

_Compare = Callable[[Any, Any], bool]
_LIMITS: Mapping[str, tuple[_Compare, str]] = {
    "gt": (operator.gt, "greater than"),
    "gte": (operator.ge, "at least"),
    "lt": (operator.lt, "less than"),
    "lte": (operator.le, "at most"),
}
_LENGTHS: Mapping[str, tuple[_Compare, str]] = {
    "min_len": (operator.ge, "at least"),
    "min_bytes": (operator.ge, "at least"),
    "max_len": (operator.le, "at most"),
    "max_bytes": (operator.le, "at most"),
    "min_items": (operator.ge, "at least"),
    "max_items": (operator.le, "at most"),
    "min_pairs": (operator.ge, "at least"),
}
_NEEDED = ("message", "duration", "any", "timestamp")
_IS_VALUE = "google.protobuf."


def violations(message: Message, path: str = "") -> Iterator[str]:
    """Each with the path of its field, in JSON names: `loadAssignment.clusterName: is too short`."""
    kind = message.DESCRIPTOR
    if kind.GetOptions().Extensions[validate_pb2.disabled]:
        return
    for choice in kind.oneofs:
        needed = choice.GetOptions().Extensions[validate_pb2.required]
        if needed and message.WhichOneof(choice.name) is None:
            names = ", ".join(field.json_name for field in choice.fields)
            yield f"{_join(path, choice.name)}: one of {names} is required"
    for field in kind.fields:
        rules = field.GetOptions().Extensions[validate_pb2.rules]
        yield from _field(message, field, rules, _join(path, field.json_name))


def _field(message: Message, field: Any, rules: Any, path: str) -> Iterator[str]:
    found = getattr(message, field.name)
    if field.is_repeated:
        yield from _lengths(found, rules.repeated, path)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            yield from _lengths(found, rules.map, path)
            items = [(f'{path}["{key}"]', found[key]) for key in found]
            inside = rules.map.values
        else:
            items = [(f"{path}[{index}]", each) for index, each in enumerate(found)]
            inside = rules.repeated.items
        for place, each in items:
            yield from _value(each, inside, place)
        return
    if field.has_presence and not message.HasField(field.name):
        needed = any(getattr(getattr(rules, kind), "required", False) for kind in _NEEDED)
        if needed and field.containing_oneof is None:
            yield f"{path}: is required"
        return
    yield from _value(found, rules, path)


def _value(found: Any, rules: Any, path: str) -> Iterator[str]:
    kind = rules.WhichOneof("type")
    limits = getattr(rules, kind) if kind else None
    match found:
        case AnyMessage():
            yield from _packed(found, path)
            return
        case Message() if not found.DESCRIPTOR.full_name.startswith(_IS_VALUE):
            if not rules.message.skip:
                yield from violations(found, path)
            return
        case Duration():
            found = found.ToNanoseconds()
        case Message() if "value" in found.DESCRIPTOR.fields_by_name:
            found = found.value  # type: ignore[attr-defined] # a wrapper
        case Message():
            return
    if limits is None or (getattr(limits, "ignore_empty", False) and not found):
        return
    if isinstance(found, str | bytes):
        yield from _lengths(found, limits, path)
    elif kind == "enum":
        if found in limits.not_in:
            yield f"{path}: this value is not allowed"
    elif isinstance(found, int | float) and not isinstance(found, bool):
        yield from _limits(found, limits, path)


def _limits(found: float, limits: Any, path: str) -> Iterator[str]:
    for name, (holds, text) in _LIMITS.items():
        if not limits.DESCRIPTOR.fields_by_name.get(name) or not limits.HasField(name):
            continue
        limit = getattr(limits, name)
        limit = limit.ToNanoseconds() if isinstance(limit, Duration) else limit
        if not holds(found, limit):
            unit = " ns" if isinstance(getattr(limits, name), Duration) else ""
            yield f"{path}: must be {text} {limit}{unit}"


def _lengths(found: Any, limits: Any, path: str) -> Iterator[str]:
    for name, (holds, text) in _LENGTHS.items():
        if name not in limits.DESCRIPTOR.fields_by_name or not limits.HasField(name):
            continue
        if not holds(len(found), getattr(limits, name)):
            yield f"{path}: must have {text} {getattr(limits, name)} {name[4:]}"


def _packed(packed: AnyMessage, path: str) -> Iterator[str]:
    kind = find_type(packed.TypeName())
    if kind is None:
        return
    try:
        yield from violations(kind.FromString(packed.value), path)
    except DecodeError as error:
        yield f"{path}: {error}"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
