"""Changes to Envoy's messages as people write them: YAML to merge in, or JSON patches.

Source: https://www.rfc-editor.org/rfc/rfc6902, with Kuma's leniency: what a path lacks is made, a
removal of what is not there does nothing, and a negative index counts from the end.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import jsonpatch
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import DecodeError, Message
from jsonpointer import JsonPointer, JsonPointerException

from kuma.envoy.known_types import find_type, load_types
from kuma.envoy.message import pack
from kuma.kit.durations import parse_duration
from kuma.kit.json_yaml import BadYaml, load_yaml

M = TypeVar("M", bound=Message)
Operation = Mapping[str, Any]

_WRAPPERS = frozenset(
    f"google.protobuf.{name}Value"
    for name in ("Bool", "Bytes", "Double", "Float", "Int32", "Int64", "String", "UInt32", "UInt64")
)
_DURATION, _ANY = "google.protobuf.Duration", "google.protobuf.Any"
_VALUES = _WRAPPERS | {_DURATION, _ANY}
_TYPE = "@type"
_MOST_COPIED = 100_000
"""Values; each copy may double what there is."""
_NUMBER = re.compile(r"-?\d+|-")
_SECONDS = re.compile(r"-?\d+(\.\d+)?s")


class PatchError(Exception):
    """A change that cannot be made as it is written."""


def parse_yaml(text: str, kind: type[M]) -> M:
    """Raises PatchError."""
    try:
        return _parse(load_yaml(text), kind)
    except BadYaml as error:
        raise PatchError(str(error)) from error


def merge_message(into: Message, patch: Message) -> None:
    """Fields that `patch` sets are set, messages merged field by field, lists made longer, entries
    of maps replaced. Durations, packed messages and wrappers of numbers and the like are values.

    # Differs from Kuma: there a wrapper cannot be set to false or zero.
    """
    for field, found in patch.ListFields():
        here = getattr(into, field.name)
        if field.is_repeated:
            if _is_map(field):
                _merge_map(here, found, field)
            else:
                here.extend(found)
        elif field.message_type is None:
            setattr(into, field.name, found)
        elif field.message_type.full_name in _VALUES:
            here.CopyFrom(found)
        else:
            here.SetInParent()
            merge_message(here, found)


def merge_packed(into: AnyMessage, patch: AnyMessage) -> None:
    """Both have to be of one type. Raises PatchError."""
    if not into.type_url:
        into.CopyFrom(patch)
        return
    if into.type_url != patch.type_url:
        msg = f'type URL of dst "{into.type_url}" is different than src "{patch.type_url}"'
        raise PatchError(msg)
    message = unpack(into)
    merge_message(message, unpack(patch))
    into.CopyFrom(pack(message))


def unpack(packed: AnyMessage) -> Message:
    """Raises PatchError."""
    name = packed.TypeName()
    kind = find_type(name)
    if kind is None:
        msg = f'there is no type "{name}"'
        raise PatchError(msg)
    try:
        return kind.FromString(packed.value)
    except DecodeError as error:
        msg = f'not a "{name}": {error}'
        raise PatchError(msg) from error


def patched(message: M, operations: Iterable[Operation]) -> M:
    """A copy, changed by a JSON patch. Raises PatchError."""
    plain, copied = MessageToDict(message), 0
    for operation in operations:
        if operation["op"] == "copy":
            copied += _size_at(plain, operation["from"])
            if copied > _MOST_COPIED:
                msg = f"more than {_MOST_COPIED} values are copied"
                raise PatchError(msg)
        plain = _apply(plain, operation)
    return _parse(plain, type(message))


def _parse(plain: Any, kind: type[M]) -> M:
    if not isinstance(plain, dict):
        msg = "must be a map of fields"
        raise PatchError(msg)
    load_types(plain)
    try:
        return ParseDict(_with_seconds(plain, kind.DESCRIPTOR), kind())
    except (ParseError, TypeError, ValueError, OverflowError) as error:
        raise PatchError(" ".join(str(error).split())) from error
    except (AttributeError, LookupError) as error:  # of an `@type` that is none, or has no value
        msg = f"is no {kind.DESCRIPTOR.full_name} in the form of JSON"
        raise PatchError(msg) from error
    except RecursionError as error:
        msg = "is nested too deeply"
        raise PatchError(msg) from error


def _with_seconds(plain: Any, kind: Any) -> Any:
    """`kind`: the descriptor of the message. Durations may be written as everywhere in policies, `1h30m`,
    too; protobuf reads `5400s` only.
    Raises ValueError."""
    if kind.full_name == _DURATION and isinstance(plain, str) and not _SECONDS.fullmatch(plain):
        return f"{parse_duration(plain).total_seconds():f}s"
    if not isinstance(plain, dict):
        return plain
    if kind.full_name == _ANY:
        packed = find_type(str(plain.get(_TYPE, "")).rpartition("/")[2])
        if packed is None or packed.DESCRIPTOR is kind:
            return plain
        return _with_seconds(plain, packed.DESCRIPTOR)
    fields = {name: each for each in kind.fields for name in (each.name, each.json_name)}
    return {
        key: _field_with_seconds(each, fields[key]) if key in fields else each
        for key, each in plain.items()
    }


def _field_with_seconds(plain: Any, field: FieldDescriptor) -> Any:
    if field.message_type is None:
        return plain
    if _is_map(field):
        values = field.message_type.fields_by_name["value"]
        if not isinstance(plain, dict):
            return plain
        return {key: _field_with_seconds(each, values) for key, each in plain.items()}
    if field.is_repeated and isinstance(plain, list):
        return [_with_seconds(each, field.message_type) for each in plain]
    return _with_seconds(plain, field.message_type)


def _apply(plain: Any, operation: Operation) -> Any:
    try:
        path = _prepared(plain, operation["path"], makes=operation["op"] == "add")
        if operation["op"] == "remove" and not _is_there(plain, path):
            return plain
        made = {**operation, "path": path}
        if "from" in operation:
            made["from"] = _prepared(plain, operation["from"], makes=False)
        return jsonpatch.apply_patch(plain, [made], in_place=True)
    except (jsonpatch.JsonPatchException, JsonPointerException, TypeError, ValueError) as error:
        msg = f'{operation["op"]} "{operation["path"]}": {error}'
        raise PatchError(msg) from error


def _size_at(plain: Any, path: str) -> int:
    """In values; of what is not there 0."""
    try:
        return _size(JsonPointer(path).resolve(plain))
    except (JsonPointerException, TypeError, ValueError):
        return 0


def _size(plain: Any) -> int:
    if isinstance(plain, dict):
        return 1 + sum(map(_size, plain.values()))
    return 1 + sum(map(_size, plain)) if isinstance(plain, list) else 1


def _is_there(plain: Any, path: str) -> bool:
    try:
        JsonPointer(path).resolve(plain)
    except JsonPointerException:
        return False
    return True


def _prepared(plain: Any, path: str, *, makes: bool) -> str:
    """The path with its indices counted from the beginning; `makes`: what leads there is made."""
    parts = list(JsonPointer(path).parts)
    here = plain
    for position, part in enumerate(parts):
        if isinstance(here, list) and re.fullmatch(r"-\d+", part):
            parts[position] = part = str(len(here) + int(part))
        if position == len(parts) - 1:
            break
        child = _child(here, part)
        if child is None and makes:
            child = [] if _NUMBER.fullmatch(parts[position + 1]) else {}
            _put(here, part, child)
        here = child
    return JsonPointer.from_parts(parts).path


def _child(here: Any, part: str) -> Any:
    if isinstance(here, dict):
        return here.get(part)
    if isinstance(here, list) and part.isdigit() and int(part) < len(here):
        return here[int(part)]
    return None


def _put(here: Any, part: str, child: Any) -> None:
    if isinstance(here, dict):
        here[part] = child
    elif isinstance(here, list) and (part == "-" or part == str(len(here))):
        here.append(child)


def _merge_map(into: Any, found: Any, field: FieldDescriptor) -> None:
    entry = field.message_type
    holds_messages = entry is not None and entry.fields_by_name["value"].message_type is not None
    for key, each in found.items():
        if holds_messages:
            into[key].CopyFrom(each)
        else:
            into[key] = each


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry
