"""Go's text templates, as far as resources use them: `{{ .Mesh }}-{{ label "team" }}`.

    text -> parse_template -> Template --render(fields, labels)--> text

A field is known or it is an error; `label` gives the value of a label, and it is an error if there is
none. `{{-` and `-}}` eat the white space beside them, `{{/* */}}` is a comment. What else Go's
templates can do (pipes, conditions, loops, other functions) is refused by name.

Source: https://pkg.go.dev/text/template
"""

import re
from collections.abc import Collection, Mapping

from kuma.kit.value import value

_ACTION = re.compile(r"\{\{(?P<left>- )?(?P<body>.*?)(?P<right> -)?\}\}", re.DOTALL)
_FIELD = re.compile(r"\.([A-Za-z_][A-Za-z0-9_]*)")
_LABEL = re.compile(r'label\s+(?:"((?:[^"\\\n])*)"|`([^`]*)`)')
_COMMENT = re.compile(r"/\*.*\*/", re.DOTALL)


class BadTemplate(Exception):
    """The text says what is wrong, for the user."""


@value
class Field:
    name: str


@value
class Label:
    key: str


@value
class Template:
    parts: tuple[str | Field | Label, ...]

    @property
    def fields(self) -> frozenset[str]:
        return frozenset(each.name for each in self.parts if isinstance(each, Field))

    @property
    def labels(self) -> frozenset[str]:
        """The keys of the labels that it asks for."""
        return frozenset(each.key for each in self.parts if isinstance(each, Label))

    def render(self, fields: Mapping[str, str], labels: Mapping[str, str]) -> str:
        """Raises BadTemplate for a field or a label that is not there."""
        return "".join(_text_of(each, fields, labels) for each in self.parts)


def parse_template(text: str, *, fields: Collection[str] | None = None) -> Template:
    """`fields` are those that there are; None: that is for `render` to say. Raises BadTemplate."""
    parts: list[str | Field | Label] = []
    end, trims = 0, False
    for action in _ACTION.finditer(text):
        between = _between(text[end : action.start()], left=trims, right=bool(action["left"]))
        if between:
            parts.append(between)
        found = _parse_action(action["body"].strip(), fields)
        if found is not None:
            parts.append(found)
        end, trims = action.end(), bool(action["right"])
    rest = _between(text[end:], left=trims, right=False)
    return Template((*parts, rest) if rest else tuple(parts))


def _between(text: str, *, left: bool, right: bool) -> str:
    if "{{" in text:
        raise BadTemplate("unclosed action: {{ has no }}")
    text = text.lstrip() if left else text
    return text.rstrip() if right else text


def _parse_action(body: str, fields: Collection[str] | None) -> Field | Label | None:
    if not body:
        raise BadTemplate("missing value for command: {{ }} is empty")
    if _COMMENT.fullmatch(body):
        return None
    if field := _FIELD.fullmatch(body):
        if fields is not None and field[1] not in fields:
            known = ", ".join(f".{each}" for each in fields)
            raise BadTemplate(f"there is no field .{field[1]}; there are {known}")
        return Field(field[1])
    if label := _LABEL.fullmatch(body):
        return Label(label[1] if label[1] is not None else label[2])
    raise BadTemplate(
        f"{{{{ {body[:50]} }}}} is not supported; there are fields such as {{{{ .Mesh }}}} and "
        '{{ label "key" }}'
    )


def _text_of(
    part: str | Field | Label, fields: Mapping[str, str], labels: Mapping[str, str]
) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Field):
        if part.name not in fields:
            raise BadTemplate(f"there is no field .{part.name}")
        return fields[part.name]
    if part.key not in labels:
        raise BadTemplate(f"label {part.key} not found")
    return labels[part.key]
