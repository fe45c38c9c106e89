"""A plan, or any part of one, in the form that people read: plain values, ready for YAML or JSON.

The same text serves goldens, the inspect API and kumactl. What has its default is left out; values
of which there are several kinds say which under `kind`; secrets show only that they are there.
"""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import timedelta
from enum import Enum
from typing import Any

from pydantic.alias_generators import to_camel

from kuma.kit.durations import format_duration
from kuma.kit.slots import Slots
from kuma.plan.proxy import Eds, Resolved
from kuma.plan.route import (
    Forward,
    HttpRouting,
    Redirect,
    ReplaceFullPath,
    ReplacePrefix,
    TcpRouting,
)
from kuma.plan.secret import SecretBytes
from kuma.plan.tls import ExternalTls, MutualTls
from kuma.resources.spec import SpecModel

REDACTED = "<redacted>"

_ONE_OF_SEVERAL = (
    *(Eds, Resolved),
    *(Forward, Redirect),
    *(ReplaceFullPath, ReplacePrefix),
    *(HttpRouting, TcpRouting),
    *(MutualTls, ExternalTls),
)


def as_plain(part: object) -> Any:
    """Maps, lists, text, numbers and booleans."""
    match part:
        case SecretBytes():
            return REDACTED
        case Slots():
            return {type(conf).__name__: as_plain(conf) for conf in part}
        case SpecModel():
            return part.to_json()
        case Enum():
            return part.value
        case timedelta():
            return format_duration(part)
        case bytes():
            return part.decode(errors="backslashreplace")
        case tuple() | list() | frozenset():
            return [as_plain(each) for each in part]
        case Mapping():
            return {key: as_plain(each) for key, each in part.items()}
        case _ if is_dataclass(part):
            return _fields_of(part)
        case _:
            return part


def _fields_of(part: Any) -> dict[str, Any]:
    kind = {"kind": type(part).__name__} if isinstance(part, _ONE_OF_SEVERAL) else {}
    return kind | {
        to_camel(field.name): _field_value(field, getattr(part, field.name))
        for field in fields(part)
        if getattr(part, field.name) != _default(field)
    }


def _field_value(field: Field[Any], of: Any) -> Any:
    """Tags are a map to people, although a tuple of pairs here."""
    return (
        dict(of)
        if field.name in {"tags", "client_tags", "labels"} and of is not None
        else as_plain(of)
    )


def _default(field: Field[Any]) -> Any:
    return None if field.default is MISSING else field.default
