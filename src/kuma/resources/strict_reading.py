"""What pydantic takes and Kuma's schemas do not: looked for before a spec is parsed."""

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from kuma.resources.spec import Json
from kuma.resources.spec_violations import models_in
from kuma.resources.violation import Violation, join_path


def read_strictly(
    model: type[BaseModel], raw: Any, *, root: str
) -> tuple[Any, tuple[Violation, ...]]:
    """What pydantic takes and Kuma's schemas do not: null, and booleans and numbers for each other.
    And the other way round: 5.0 is an integer.

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
            elif strict.is_int:
                kept[field] = _whole(value)
            elif isinstance(value, list | Mapping):
                inner = join_path(path, field)
                kept[field] = _read_strictly(strict.models, value, inner, found)
    return kept


def _whole(raw: Any) -> Any:
    """Numbers such as 5.0, which JSON does not tell from 5, as integers; also those of a list."""
    if isinstance(raw, list):
        return [_whole(each) for each in raw]
    return int(raw) if isinstance(raw, float) and raw.is_integer() else raw


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
        models=tuple(models_in(info.annotation)),
    )


def _mentions(annotation: Any, wanted: type) -> bool:
    return annotation is wanted or any(_mentions(each, wanted) for each in get_args(annotation))
