"""What the fields of our models may hold, read from their annotations."""

from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

PAIRS = tuple[tuple[str, str], ...]
"""A map of texts, as models hold it."""


def options(annotation: Any) -> list[Any]:
    """What a union may be, apart from None."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return options(get_args(annotation)[0])
    if origin in {Union, UnionType}:
        parts = (each for each in get_args(annotation) if each is not type(None))
        return [option for each in parts for option in options(each)]
    return [annotation]


def is_model(option: Any) -> bool:
    return isinstance(option, type) and issubclass(option, BaseModel)
