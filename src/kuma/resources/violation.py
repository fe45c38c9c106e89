"""Violations: what is wrong with a resource, where, and what is allowed; all of them at once."""

from collections.abc import Iterable

from kuma.kit.value import value

MOST = 100
"""Violations of one resource that are worked out and shown: a person reads no more, and documents
of a megabyte can have a hundred thousand."""


@value
class Violation:
    """One thing wrong. `field` is a path such as `spec.to[0].default.http.requestTimeout`
    or `networking.inbound[0].tags["kuma.io/service"]`."""

    field: str
    message: str


def at(root: str, violations: Iterable[Violation]) -> tuple[Violation, ...]:
    """Re-root violations found in a part: `at("spec", ...)`, `at("spec.to[0]", ...)`."""
    return tuple(Violation(join_path(root, v.field), v.message) for v in violations)


def join_path(root: str, path: str) -> str:
    if not root or not path:
        return root or path
    return f"{root}{path}" if path.startswith("[") else f"{root}.{path}"
