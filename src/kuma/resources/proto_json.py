"""The JSON form of the older kinds, whose specs Kuma defines in protobuf.

What sets it apart from that of the policies: a field at its zero value is the same as one left out,
and is left out when shown; `null` means left out; durations are shown in seconds, 64-bit integers as
strings.
Source: https://protobuf.dev/programming-guides/json, and what Kuma 2.14 answers.
"""

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    PlainSerializer,
    StrictBool,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from kuma.kit.durations import parse_duration
from kuma.resources.spec import SpecModel, finite

Bool = StrictBool


def _sort(tags: Mapping[str, str]) -> Mapping[str, str]:
    return dict(sorted(tags.items()))


Tags = Annotated[Mapping[str, str], AfterValidator(_sort)]
"""Sorted by key, as Kuma shows them."""

Struct = Annotated[Mapping[str, Any], BeforeValidator(finite)]
"""Free-form JSON, such as the configuration of a backend whose type decides the fields."""


class ProtoModel(SpecModel):
    """A message. Every field has its zero value as default; an unset message is None."""

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, raw: object) -> object:
        if isinstance(raw, Mapping) and None in raw.values():
            return {name: each for name, each in raw.items() if each is not None}
        return raw

    def to_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    def to_json_bytes(self) -> bytes:
        return self.model_dump_json(by_alias=True, exclude_defaults=True).encode()


def _refuse_bool(raw: object) -> object:
    if isinstance(raw, bool):
        msg = "must be an integer"
        raise ValueError(msg)
    return raw


UInt32 = Annotated[int, BeforeValidator(_refuse_bool), Field(ge=0, le=2**32 - 1)]
UInt64 = Annotated[
    int,
    BeforeValidator(_refuse_bool),
    Field(ge=0, le=2**64 - 1),
    PlainSerializer(str, return_type=str),
]
"""Shown as a string, since JavaScript's numbers are too short for it."""


class Numbered:
    """An enum whose values may be written as their numbers too: `Annotated[Mode, Numbered()]`. Those of
    protobuf count from zero, in the order in which they are declared."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        by_number = dict(enumerate(source))

        def read(raw: Any) -> Any:
            return by_number.get(raw, raw) if type(raw) is int else raw

        return core_schema.no_info_before_validator_function(read, handler(source))


def _read_duration(raw: object) -> object:
    if isinstance(raw, str):
        return parse_duration(raw)
    if isinstance(raw, timedelta):
        return raw
    msg = "must be a duration such as 10s"
    raise ValueError(msg)


def format_seconds(duration: timedelta) -> str:
    """protobuf's form: `60s`, `1.500s`, `0.000250s`."""
    micros = duration // timedelta(microseconds=1)
    sign, micros = ("-", -micros) if micros < 0 else ("", micros)
    seconds, rest = divmod(micros, 1_000_000)
    if not rest:
        return f"{sign}{seconds}s"
    fraction = f"{rest // 1000:03}" if rest % 1000 == 0 else f"{rest:06}"
    return f"{sign}{seconds}.{fraction}s"


ProtoDuration = Annotated[
    timedelta,
    BeforeValidator(_read_duration),
    PlainSerializer(format_seconds, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["10s", "1.500s"]}),
]
"""Read in Go's form (`1m30s`), shown in seconds (`90s`)."""


def format_timestamp(time: datetime) -> str:
    """RFC 3339 in UTC, with as many digits of a second as there are: `2026-01-01T00:00:00.5Z`."""
    text = time.astimezone(UTC).replace(tzinfo=None).isoformat()
    return f"{text.rstrip('0') if '.' in text else text}Z"


Timestamp = Annotated[
    AwareDatetime,
    PlainSerializer(format_timestamp, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


def _read_base64(raw: object) -> object:
    if not isinstance(raw, str):
        return raw
    try:
        return base64.b64decode(raw.translate({ord("-"): "+", ord("_"): "/"}), validate=True)
    except (binascii.Error, ValueError) as error:
        msg = "must be base64"
        raise ValueError(msg) from error


Base64 = Annotated[
    bytes,
    BeforeValidator(_read_base64),
    PlainSerializer(lambda raw: base64.b64encode(raw).decode(), return_type=str),
    WithJsonSchema({"type": "string", "format": "byte"}),
]
