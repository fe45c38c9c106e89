"""How settings are declared: a section is a frozen model, a setting is a field with a description.

    class HttpServer(Section):
        port: Port = setting(5681, "Port of the REST API over HTTP.")

The YAML key is the field in camelCase, the variable is `KUMA_` and the path in upper snake case;
where Kuma's names are irregular, `key` and `env` say so. `settings_of` lists all settings of a
model, which is what the loader, the documentation and the tests work from.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

from kuma.config.forms import Form, form_of

MASK = "*****"
S = TypeVar("S", bound="Section")


class Section(BaseModel):
    """Settings that belong together. `key` names the backend of YAML, attributes are snake_case."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )

    def masked(self) -> dict[str, Any]:
        """The JSON form for people: durations as text, secrets as `*****`."""
        shown = self.model_dump(mode="json", by_alias=True)
        for each in settings_of(type(self)):
            if each.secret:
                _put(shown, each.path, MASK)
        return shown


def setting(
    default: Any,
    description: str,
    *,
    key: str | None = None,
    env: str | None = None,
    also: tuple[str, ...] = (),
    secret: bool = False,
    file_only: bool = False,
) -> Any:
    """A field. `env` replaces the derived variable, `also` are further names that are read.
    `file_only`: it has no variable, its value being more than text."""
    extra: dict[str, Any] = {"env": env, "also": list(also), "secret": secret}
    extra["file_only"] = file_only
    return Field(default, alias=key, description=description, json_schema_extra=extra)


def section(model: type[S], description: str, *, key: str | None = None, env: str = "") -> Any:
    """A nested section. `env` replaces the variable prefix of everything in it."""
    return Field(
        default_factory=model,
        alias=key,
        description=description,
        json_schema_extra={"env": env},
    )


@dataclass(frozen=True)
class Setting:
    """One setting of a program. `env` is the variable, `variables` are all names that are read."""

    path: tuple[str, ...]
    env: str
    also: tuple[str, ...]
    form: Form
    default: Any
    description: str
    secret: bool

    @property
    def key(self) -> str:
        return ".".join(self.path)

    @property
    def variables(self) -> tuple[str, ...]:
        return (self.env, *self.also) if self.env else self.also


@dataclass(frozen=True)
class Heading:
    """A section where it stands; for the documentation and for the loader."""

    path: tuple[str, ...]
    description: str


def settings_of(model: type[Section]) -> tuple[Setting, ...]:
    return tuple(each for each in walk(model) if isinstance(each, Setting))


def walk(
    model: type[Section], path: tuple[str, ...] = (), prefix: str = "KUMA"
) -> Iterator[Setting | Heading]:
    """All headings and settings of `model`, in the order of declaration."""
    for field in model.model_fields.values():
        here = (*path, field.alias or "")
        extra = field.json_schema_extra
        assert isinstance(extra, dict)
        derived = f"{prefix}_{_upper_snake(here[-1])}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield Heading(here, field.description or "")
            yield from walk(field.annotation, here, str(extra["env"] or derived))
        else:
            yield _setting(field, here, derived)


def _setting(field: FieldInfo, path: tuple[str, ...], derived: str) -> Setting:
    extra: dict[str, Any] = field.json_schema_extra  # type: ignore[assignment]
    file_only = bool(extra["file_only"])
    return Setting(
        path=path,
        env="" if file_only else extra["env"] or derived,
        also=tuple(extra["also"]),
        form=form_of(field.annotation, field.metadata),
        default=field.get_default(call_default_factory=True),
        description=field.description or "",
        secret=bool(extra["secret"]),
    )


def _upper_snake(key: str) -> str:
    apart = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", key)
    return re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", apart).upper()


def _put(tree: dict[str, Any], path: tuple[str, ...], content: Any) -> None:
    for part in path[:-1]:
        tree = tree[part]
    tree[path[-1]] = content
