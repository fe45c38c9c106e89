"""Templates: `{{ name }}` stands for the value of a flag such as `--dataplane-var name=value`.

The part of mustache that Kuma's users have use for; sections are refused.
# Differs from Kuma: a variable without a value is an error, not an empty text, and values are
put in as they are, not escaped for HTML. Names that start with a dot are Go's own templates, which
some resources contain, and stay as they are.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches

_TAG = re.compile(r"\{\{\{?\s*(?P<sigil>[#/^>!=&]?)\s*(?P<name>[^{}]*?)\s*\}?\}\}")


class BadTemplate(Exception):
    pass


def render(template: str, variables: Mapping[str, str], *, flag: str = "--dataplane-var") -> str:
    """`flag` is how the user gives variables. Raises BadTemplate that names line and variable."""

    def value_of(tag: re.Match[str]) -> str:
        line = template.count("\n", 0, tag.start()) + 1
        if tag["sigil"] == "!":
            return ""
        if tag["sigil"] not in {"", "&"}:
            raise BadTemplate(f"line {line}: {tag[0]} is not supported, only {{{{ name }}}} is")
        name = tag["name"]
        if name not in variables:
            if name.startswith("."):
                return tag[0]
            raise BadTemplate(f"line {line}: {_missing(name, variables, flag)}")
        return variables[name]

    return _TAG.sub(value_of, template)


def is_template(text: str) -> bool:
    """Whether it has variables, those of Go's templates aside."""
    return any(not tag["name"].startswith(".") for tag in _TAG.finditer(text))


def unused(template: str, variables: Mapping[str, str]) -> tuple[str, ...]:
    """Variables that the template does not name, in the order given."""
    named = {tag["name"] for tag in _TAG.finditer(template)}
    return tuple(name for name in variables if name not in named)


def _missing(name: str, variables: Mapping[str, str], flag: str) -> str:
    close = get_close_matches(name, variables, n=1)
    hint = f', did you mean "{close[0]}"?' if close else f": give it with {flag} {name}=..."
    return f'variable "{name}" has no value{hint}'
