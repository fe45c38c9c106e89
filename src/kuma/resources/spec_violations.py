"""Pydantic's errors -> Kuma's field paths, and sentences for people. `spec.parse_spec` calls."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel

from kuma.resources.violation import join_path


def path_of(loc: tuple[int | str, ...], raw: object, model: type[BaseModel]) -> str:
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


def message_of(error: Any, model: type[BaseModel]) -> str:
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
    return [each for info in found for each in models_in(info.annotation)] if found else None


def models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [each for part in get_args(annotation) for each in models_in(part)]
