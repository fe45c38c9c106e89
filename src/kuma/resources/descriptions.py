"""What the fields of a model mean, in the words that stand below them in the source.

For documentation only (OpenAPI, the resource reference), so nobody pays for it who does not ask:
pydantic's own `use_attribute_docstrings` would read the source of every model at import.
"""

import ast
import inspect
import sys
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from pydantic import BaseModel


@cache
def field_descriptions(model: type[BaseModel]) -> Mapping[str, str]:
    """Text by field name, those of base classes included; nothing where there is no source."""
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if issubclass(each, BaseModel) and each is not BaseModel:
            found |= _in_module(each.__module__).get(each.__name__, {})
    return MappingProxyType(found)


@cache
def _in_module(name: str) -> Mapping[str, Mapping[str, str]]:
    module = sys.modules[name]
    try:
        source = inspect.getsource(module)
    except OSError:
        return {}
    return {
        each.name: dict(_in_class(each))
        for each in ast.parse(source).body
        if isinstance(each, ast.ClassDef)
    }


def _in_class(definition: ast.ClassDef) -> list[tuple[str, str]]:
    """A field is described by the text that follows it."""
    return [
        (field.target.id, " ".join(text.value.value.split()))
        for field, text in zip(definition.body, definition.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    ]
