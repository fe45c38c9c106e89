"""What a setting can be: how it is read from YAML and from a variable, and how docs call it.

A type of a setting is an `Annotated` that carries its `Form`. Forms read text too, because
variables are text: lists are separated by commas, maps are `key:value` pairs separated by commas.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer
from pydantic.alias_generators import to_camel

from kuma.kit.durations import format_duration, parse_duration

_TRUE = {"1", "t", "true"}
_FALSE = {"0", "f", "false"}


@dataclass(frozen=True)
class Form:
    """`read` turns what YAML gives into the value, `read_text` what a variable gives; both raise
    ValueError, whatever the input. `expected` completes the sentence "must be ..."."""

    name: str
    expected: str
    read: Callable[[object], Any]
    read_text: Callable[[str], Any]
    empty_is_unset: bool = True


def _bool(raw: object) -> bool:
    if not isinstance(raw, bool):
        raise ValueError
    return raw


def _bool_text(text: str) -> bool:
    lowered = text.strip().lower()
    if lowered in _TRUE | _FALSE:
        return lowered in _TRUE
    raise ValueError


def _integer(low: int, high: int | None) -> Callable[[object], int]:
    def read(raw: object) -> int:
        if isinstance(raw, bool) or not isinstance(raw, int):
            raise ValueError
        if raw < low or (high is not None and raw > high):
            raise ValueError
        return raw

    return read


def _integer_form(name: str, expected: str, low: int, high: int | None) -> Form:
    read = _integer(low, high)
    return Form(name, expected, read, lambda text: read(int(text.strip(), 10)))


def _duration(raw: object) -> timedelta:
    if isinstance(raw, timedelta):
        return raw
    if isinstance(raw, bool) or raw != 0:
        return _duration_text(_string(raw))
    return timedelta(0)


def _duration_text(text: str) -> timedelta:
    return parse_duration(text.strip())


def _string(raw: object) -> str:
    if isinstance(raw, str):
        return raw
    raise ValueError


def _text(raw: object) -> str:
    """YAML reads `kid: 1` as a number; where text is wanted, it is text."""
    if isinstance(raw, bool):
        return str(raw).lower()
    return str(raw) if isinstance(raw, int | float) else _string(raw)


def _list_of(read: Callable[[object], Any]) -> Callable[[object], tuple[Any, ...]]:
    def read_all(raw: object) -> tuple[Any, ...]:
        if not isinstance(raw, list | tuple):
            raise ValueError
        return tuple(read(each) for each in raw)

    return read_all


def _split(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _map(raw: object) -> dict[str, str]:
    if not isinstance(raw, Mapping):
        raise ValueError
    return {_text(key): _text(content) for key, content in raw.items()}


def _map_text(text: str) -> dict[str, str]:
    pairs = [each.partition(":") for each in _split(text)]
    if not all(separator for _, separator, _ in pairs):
        raise ValueError
    return {key.strip(): content.strip() for key, _, content in pairs}


_NUMBER = _integer_form("number", "a whole number, not below 0", 0, None)
_INTEGER = _integer_form("number", "a whole number", -(2**63), 2**63)
_PORT = _integer_form("port", "a port, from 0 to 65535", 0, 65535)
_PERCENT = _integer_form("percentage", "a percentage, from 0 to 100", 0, 100)
_BOOL = Form("boolean", "true or false", _bool, _bool_text)
_DURATION = Form("duration", "a duration such as 10s, 250ms or 1h30m", _duration, _duration_text)
_TEXT = Form("text", "text", _text, lambda text: text, empty_is_unset=False)
_TEXTS = Form(
    "list",
    "a list of texts",
    _list_of(_text),
    lambda text: tuple(_split(text)),
    empty_is_unset=False,
)
_NUMBERS = Form(
    "list of numbers",
    "a list of whole numbers",
    _list_of(_NUMBER.read),
    lambda text: tuple(_NUMBER.read_text(each) for each in _split(text)),
    empty_is_unset=False,
)
_MAP = Form("map", "a map of texts", _map, _map_text, empty_is_unset=False)

Bool = Annotated[bool, _BOOL, BeforeValidator(_BOOL.read)]
Number = Annotated[int, _NUMBER, BeforeValidator(_NUMBER.read)]
Integer = Annotated[int, _INTEGER, BeforeValidator(_INTEGER.read)]
Port = Annotated[int, _PORT, BeforeValidator(_PORT.read)]
Percent = Annotated[int, _PERCENT, BeforeValidator(_PERCENT.read)]
Text = Annotated[str, _TEXT, BeforeValidator(_TEXT.read)]
Texts = Annotated[tuple[str, ...], _TEXTS, BeforeValidator(_TEXTS.read)]
Numbers = Annotated[tuple[int, ...], _NUMBERS, BeforeValidator(_NUMBERS.read)]
TextMap = Annotated[dict[str, str], _MAP, BeforeValidator(_MAP.read)]
Duration = Annotated[
    timedelta,
    _DURATION,
    BeforeValidator(_DURATION.read),
    PlainSerializer(format_duration, return_type=str),
]


TlsVersion = Literal["", "TLSv1_2", "TLSv1_3"]


class PublicKey(BaseModel):
    """A key of which only the public half is here. `mesh` empty: for every mesh."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    kid: str
    mesh: str = ""
    key_file: str = ""
    key: str = ""


def _public_key(raw: object) -> PublicKey:
    if isinstance(raw, PublicKey):
        return raw
    fields = _map(raw)
    if not fields.get("kid") or bool(fields.get("key")) == bool(fields.get("keyFile")):
        raise ValueError
    if fields.keys() - {"kid", "mesh", "key", "keyFile"}:
        raise ValueError
    return PublicKey.model_validate(fields)


def _no_text(text: str) -> Any:
    raise ValueError


_PUBLIC_KEYS = Form(
    "list of keys",
    "a list of keys, each with kid and either key or keyFile",
    _list_of(_public_key),
    _no_text,
)
PublicKeys = Annotated[tuple[PublicKey, ...], _PUBLIC_KEYS, BeforeValidator(_PUBLIC_KEYS.read)]


def form_of(annotation: Any, metadata: Sequence[Any]) -> Form:
    """The form of a field, from pydantic's two halves of its annotation."""
    for each in metadata:
        if isinstance(each, Form):
            return each
    if get_origin(annotation) is Literal:
        return choice([str(each) for each in get_args(annotation)])
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return choice([each.value for each in annotation])
    raise TypeError(f"no form for settings of type {annotation}")


def choice(allowed: list[str]) -> Form:
    shown = [f'"{each}"' if each else "empty" for each in allowed]
    expected = " or ".join(shown) if len(shown) < 3 else f"one of {', '.join(shown)}"

    def read(raw: object) -> str:
        text = _text(raw)
        if text not in allowed:
            raise ValueError
        return text

    return Form("choice", expected, read, lambda text: read(text.strip()))
