"""What a resource and a mesh may be called. Wording is Kuma's."""

import re
from collections.abc import Iterator

from kuma.resources.violation import Violation

DEFAULT_MESH = "default"

_MAX = 253
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME_HINT = (
    "invalid characters. A lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
    "characters, '-' or '.', and must start and end with an alphanumeric character"
)
_MESH = re.compile(r"[0-9a-z\-_.]*")
_MESH_HINT = (
    "invalid characters. Valid characters are numbers, lowercase latin letters and "
    "'-', '_', '.' symbols."
)


def check_name(name: str) -> Iterator[Violation]:
    yield from _check("name", name, _NAME, _NAME_HINT)


def check_mesh(mesh: str) -> Iterator[Violation]:
    """Looser than a name: meshes of old may have `_` in theirs."""
    yield from _check("mesh", mesh, _MESH, _MESH_HINT)


def _check(field: str, text: str, pattern: re.Pattern[str], hint: str) -> Iterator[Violation]:
    if not text:
        yield Violation(field, "cannot be empty")
    elif len(text) > _MAX:
        yield Violation(field, f"value length must less or equal {_MAX}")
    elif not pattern.fullmatch(text):
        yield Violation(field, hint)
