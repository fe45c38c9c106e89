"""The base of every spec model, and the field types that many specs share.

Specs are pydantic models: frozen, camelCase outside and snake_case inside, unknown fields refused.
# Differs from Kuma, which ignores fields that it does not know, and takes null for some.
`parse_spec` turns pydantic's errors into violations with Kuma's field paths.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, core_schema

from kuma.kit.durations import format_duration, parse_duration
from kuma.resources.spec_violations import message_of, path_of
from kuma.resources.violation import MOST, Violation, join_path

M = TypeVar("M", bound="SpecModel")


class SpecModel(BaseModel):
    """A part of a spec. Lists are tuples, so that a value that is shared cannot be changed."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        allow_inf_nan=False,
        ser_json_bytes="base64",
        val_json_bytes="base64",
    )

    def to_json(self) -> dict[str, Any]:
        """The JSON form that users see: camelCase, unset optionals left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def to_json_bytes(self) -> bytes:
        """What `to_json` says, as compact JSON."""
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()


EMPTY_IS_NONE = AfterValidator(lambda written: written or None)
"""For `X | None`: what is empty is as if left out, as Kuma stores it."""


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


class _Pairs:
    """Reads a map, and tells what is wrong of which key; pairs are taken as they are."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        text = core_schema.str_schema(strict=True)
        return core_schema.no_info_wrap_validator_function(
            self._read, core_schema.dict_schema(core_schema.any_schema(), text)
        )

    @staticmethod
    def _read(raw: Any, read: core_schema.ValidatorFunctionWrapHandler) -> Any:
        if isinstance(raw, tuple):
            return raw
        if not isinstance(raw, Mapping) or not all(isinstance(key, str) for key in raw):
            msg = "must be a map of strings to strings"
            raise ValueError(msg)
        return tuple(sorted(read(raw).items()))


StringMap = Annotated[
    tuple[tuple[str, str], ...],
    _Pairs(),
    PlainSerializer(dict, return_type=dict[str, str]),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": "string"}}),
]
"""A map outside, pairs sorted by key inside, so that what holds it can be hashed."""


@dataclass(frozen=True)
class Json:
    """Any JSON value, as text with sorted keys, so that what holds it can be hashed."""

    text: str

    def load(self) -> Any:
        return json.loads(self.text)


def _read_json(raw: object) -> object:
    """Refuses numbers such as 1e400, which are read as infinite."""
    return raw if isinstance(raw, Json) else Json(json.dumps(finite(raw), sort_keys=True))


def finite(raw: object) -> object:
    """`raw`, if JSON can say it. Raises ValueError."""
    try:
        json.dumps(raw, allow_nan=False, default=str)
    except ValueError:
        msg = "must not hold numbers that are not finite"
        raise ValueError(msg) from None
    return raw


AnyJson = Annotated[
    Json,
    BeforeValidator(_read_json),
    PlainSerializer(Json.load, return_type=Any),
    WithJsonSchema({}),
]
"""Any JSON value outside. Null counts as absent where the field may be."""


@dataclass(frozen=True)
class Items:
    """How many items a list may have: `Annotated[tuple[X, ...], Items(minimum=1)]`. Looked at only
    once every item is right, unlike pydantic's own limits, which count the wrong ones as absent."""

    minimum: int = 0
    maximum: int | None = None

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        limits = {"minItems": self.minimum or None, "maxItems": self.maximum}
        found = handler(schema)
        return {**found, **{name: limit for name, limit in limits.items() if limit is not None}}

    def _check(self, items: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(items) < self.minimum:
            msg = f"must have at least {self.minimum} items"
            raise ValueError(msg)
        if self.maximum is not None and len(items) > self.maximum:
            msg = f"must have at most {self.maximum} items"
            raise ValueError(msg)
        return items


NonNegative = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]
"""Kuma holds it as a uint32, and its schemas say int32: both limits hold."""
Int32 = Annotated[int, Field(strict=True, ge=-(2**31), le=2**31 - 1)]
Int64 = Annotated[int, Field(strict=True, ge=-(2**63), le=2**63 - 1)]


def parse_decimal(raw: int | str) -> Decimal | None:
    """The number in an IntOrString; None if the text is not a number. Spaces and underscores, which
    Python reads over, are none of a number."""
    text = str(raw)
    if "_" in text or text != text.strip():
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def parse_spec(
    model: type[M], raw: Mapping[str, Any], *, root: str = ""
) -> tuple[M | None, tuple[Violation, ...]]:
    """Read `raw` as `model`: the spec, or its violations (`MOST` of them at most), each with its
    path below `root`."""
    try:
        return model.model_validate(raw), ()
    except ValidationError as error:
        found = tuple(
            Violation(join_path(root, path_of(each["loc"], raw, model)), message_of(each, model))
            for each in error.errors(include_url=False)[:MOST]
        )
        return None, found
