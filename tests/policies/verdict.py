"""What is wrong with a spec, as pairs of field and message, from the schema or from validation."""

from typing import Any

from kuma.resources.kind import Kind
from kuma.resources.spec import parse_spec
from tests.support.builders import a_resource


def verdict(kind: Kind[Any], spec: dict[str, Any], **labels: str) -> list[tuple[str, str]]:
    parsed, found = parse_spec(kind.spec, spec, root="spec")
    if parsed is not None:
        found = kind.validate(a_resource(kind, "policy", parsed, labels=labels))
    return [(violation.field, violation.message) for violation in found]
