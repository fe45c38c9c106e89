"""The base of every spec model, and the field types that many specs share.

Specs are pydantic models: frozen, camelCase outside and snake_case inside, unknown fields refused.
`parse_spec` turns pydantic's errors into violations with Kuma's field paths.
"""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from kuma.kit.durations import format_duration, parse_duration
from kuma.resources.violation import Violation, join_path

M = TypeVar("M", bound="SpecModel")


class SpecModel(BaseModel):
    """A part of a spec. Lists are tuples, so that a value that is shared cannot be changed."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        ser_json_bytes="base64",
        val_json_bytes="base64",
    )

    def to_json(self) -> dict[str, Any]:
        """The JSON form that users see: camelCase, unset optionals left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def _read_duration(raw: object) -> object:
    if isinstance(raw, str):
        return parse_duration(raw)
    if isinstance(raw, timedelta):
        return raw
    msg = "must be a duration such as 10s, 250ms or 1h30m"
    raise ValueError(msg)


Duration = Annotated[
    timedelta,
    BeforeValidator(_read_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["10s", "250ms", "1h30m"]}),
]
"""A duration in Go's text form outside, a timedelta inside."""


def _read_int_or_string(raw: object) -> object:
    if isinstance(raw, bool) or not isinstance(raw, int | str):
        msg = "must be an integer or a string"
        raise ValueError(msg)
    return raw


IntOrString = Annotated[
    int | str,
    BeforeValidator(_read_int_or_string),
    WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string"}]}),
]
"""Kubernetes' IntOrString: a number, or a decimal in a string such as "12.5"."""


def _read_map(raw: object) -> object:
    if isinstance(raw, Mapping):
        if not all(isinstance(part, str) for pair in raw.items() for part in pair):
            msg = "must be a map of strings to strings"
            raise ValueError(msg)
        return tuple(sorted(raw.items()))
    if isinstance(raw, tuple):
        return raw
    msg = "must be a map of strings to strings"
    raise ValueError(msg)


StringMap = Annotated[
    tuple[tuple[str, str], ...],
    BeforeValidator(_read_map),
    PlainSerializer(dict, return_type=dict[str, str]),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": "string"}}),
]
"""A map outside, pairs sorted by key inside, so that what holds it can be hashed."""

UInt32 = Annotated[int, Field(strict=True, ge=0, le=2**32 - 1)]
Int32 = Annotated[int, Field(strict=True, ge=-(2**31), le=2**31 - 1)]


def parse_decimal(raw: int | str) -> Decimal | None:
    """The number in an IntOrString; None if the text is not a number."""
    try:
        number = Decimal(str(raw))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def parse_spec(
    model: type[M], raw: Mapping[str, Any], *, root: str = ""
) -> tuple[M | None, tuple[Violation, ...]]:
    """Read `raw` as `model`: the spec, or every violation with its path below `root`."""
    try:
        return model.model_validate(raw), ()
    except ValidationError as error:
        found = tuple(
            Violation(join_path(root, _path(each["loc"], raw)), _message(each, model))
            for each in error.errors(include_url=False)
        )
        return None, found


def _path(loc: tuple[int | str, ...], raw: object) -> str:
    """Kuma's notation, without the branch names that pydantic adds for unions."""
    path, here = "", raw
    for part in loc:
        if isinstance(part, int):
            path += f"[{part}]"
            here = here[part] if isinstance(here, list | tuple) and part < len(here) else None
        elif isinstance(here, Mapping) and part not in here and not _is_last_missing(loc, part):
            continue
        else:
            plain = part.replace("_", "").isalnum()
            path = join_path(path, part if plain else f'["{part}"]')
            here = here.get(part) if isinstance(here, Mapping) else None
    return path


def _is_last_missing(loc: tuple[int | str, ...], part: str) -> bool:
    return loc[-1] == part


def _message(error: Any, model: type[BaseModel]) -> str:
    kind, message = error["type"], str(error["msg"])
    if kind == "extra_forbidden":
        return "unknown field"
    if kind == "missing":
        return "must be defined"
    if kind in {"enum", "literal_error"}:
        return f"unsupported value, must be {error['ctx']['expected']}"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    return message[:1].lower() + message[1:]
