"""The base of every spec model, and the field types that many specs share.

Specs are pydantic models: frozen, camelCase outside and snake_case inside, unknown fields refused.
# Differs from Kuma, which ignores fields that it does not know, and takes null for some.
`parse_spec` turns pydantic's errors into violations with Kuma's field paths.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any, NamedTuple, TypeVar, get_args

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
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, core_schema

from kuma.kit.durations import format_duration, parse_duration
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
            Violation(join_path(root, _path(each["loc"], raw, model)), _message(each, model))
            for each in error.errors(include_url=False)[:MOST]
        )
        return None, found


def read_strictly(
    model: type[BaseModel], raw: Any, *, root: str
) -> tuple[Any, tuple[Violation, ...]]:
    """What pydantic takes and Kuma's schemas do not: null, and booleans and numbers for each other.

    Null stands for the default of a simple field that has one, so it is left out of what is given back.
    """
    found: list[Violation] = []
    return _read_strictly((model,), raw, root, found), tuple(found)


def _read_strictly(
    models: tuple[type[BaseModel], ...], raw: Any, path: str, found: list[Violation]
) -> Any:
    if isinstance(raw, list):
        items = enumerate(raw)
        return [_read_strictly(models, each, f"{path}[{at}]", found) for at, each in items]
    if not isinstance(raw, Mapping):
        return raw
    kept = dict(raw)
    for field, strict in _strict_fields(models):
        if field in kept:
            value = kept[field]
            if value is None and not strict.takes_null:
                if not strict.has_simple_default:
                    found.append(Violation(join_path(path, field), "must not be null"))
                else:
                    del kept[field]
            elif strict.is_bool and not isinstance(value, bool):
                found.append(Violation(join_path(path, field), "must be true or false"))
            elif strict.is_int and isinstance(value, bool):
                found.append(Violation(join_path(path, field), "must be an integer"))
            elif isinstance(value, list | Mapping):
                inner = join_path(path, field)
                kept[field] = _read_strictly(strict.models, value, inner, found)
    return kept


class _StrictField(NamedTuple):
    takes_null: bool
    has_simple_default: bool
    is_bool: bool
    is_int: bool
    models: tuple[type[BaseModel], ...]


@cache
def _strict_fields(
    models: tuple[type[BaseModel], ...],
) -> tuple[tuple[str, _StrictField], ...]:
    """Several models are those of a union."""
    return tuple(
        (info.alias or name, _strict_field(info))
        for model in models
        for name, info in model.model_fields.items()
    )


def _strict_field(info: FieldInfo) -> _StrictField:
    return _StrictField(
        takes_null=_mentions(info.annotation, Json),
        has_simple_default=isinstance(info.default, str | int),
        is_bool=_mentions(info.annotation, bool),
        is_int=_mentions(info.annotation, int),
        models=tuple(_models_in(info.annotation)),
    )


def _mentions(annotation: Any, wanted: type) -> bool:
    return annotation is wanted or any(_mentions(each, wanted) for each in get_args(annotation))


def _path(loc: tuple[int | str, ...], raw: object, model: type[BaseModel]) -> str:
    """Kuma's notation, without the branch names that pydantic adds for unions.

    Keys of maps are quoted in brackets, fields are not.
    """
    path, here, models = "", raw, [model]
    for at, part in enumerate(loc):
        if isinstance(part, int):
            path += f"[{part}]"
            here = here[part] if isinstance(here, list | tuple) and part < len(here) else None
            continue
        inner = _inner_models(models, part)
        is_known = inner is not None or (isinstance(here, Mapping) and part in here)
        if not is_known and at < len(loc) - 1:
            continue
        is_key = inner is None and not models
        path = f'{path}["{part}"]' if is_key else join_path(path, part)
        here = here.get(part) if isinstance(here, Mapping) else None
        models = inner if inner is not None else models
    return path


_PLAIN_MESSAGES = {
    "missing": "must be defined",
    "string_type": "must be a string",
    "int_type": "must be an integer",
    "int_parsing": "must be an integer",
    "int_from_float": "must be an integer",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bytes_type": "must be base64",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "dict_type": "must be a map",
    "mapping_type": "must be a map",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
}


def _message(error: Any, model: type[BaseModel]) -> str:
    kind, message = error["type"], str(error["msg"])
    if kind == "extra_forbidden":
        *within, name = error["loc"]
        return f"unknown field{nearest_name(str(name), _field_names(model, within))}"
    if kind in _PLAIN_MESSAGES:
        return _PLAIN_MESSAGES[kind]
    if kind in {"enum", "literal_error"}:
        return f"unsupported value, must be {error['ctx']['expected']}"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    return message[:1].lower() + message[1:]


def nearest_name(name: str, known: Iterable[str]) -> str:
    """The end of a message on an unknown name: the one that was probably meant, if any is close."""
    lowered = {each.lower(): each for each in known}
    close = get_close_matches(name.lower(), lowered, n=1)
    return f', did you mean "{lowered[close[0]]}"?' if close else ""


def _field_names(model: type[BaseModel], within: Iterable[int | str]) -> list[str]:
    """What may be written at a place in `model`."""
    models = [model]
    for part in within:
        inner = _inner_models(models, part)
        models = models if inner is None else inner
    return [info.alias or name for one in models for name, info in one.model_fields.items()]


def _inner_models(
    models: Iterable[type[BaseModel]], field: int | str
) -> list[type[BaseModel]] | None:
    """The models that may stand in `field` (none for text and numbers); None: no such field."""
    found = [
        info
        for one in models
        for name, info in one.model_fields.items()
        if field in {name, info.alias}
    ]
    return [each for info in found for each in _models_in(info.annotation)] if found else None


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [each for part in get_args(annotation) for each in _models_in(part)]
