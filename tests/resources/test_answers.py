"""What Kuma 2.14.3 answered to documents in which one thing was changed, kind by kind.

Each line of `answers/KIND.jsonl` is a document and the fields that Kuma's REST API named in its
`invalid_parameters`; none: it was accepted. They come from walking the schemas: every field dropped,
emptied, repeated, and set to values on both sides of its limits. Where this differs on purpose there
is no line, but a row in the tables of the kind, and a line in docs/differences.md.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kuma.policies.catalogue import REGISTRY
from kuma.resources.codec import parse_document
from kuma.resources.errors import InvalidResource

ANSWERS = Path(__file__).parent / "answers"
KINDS = sorted(path.stem for path in ANSWERS.glob("*.jsonl"))


def answers(kind: str) -> Iterator[tuple[dict[str, Any], list[str]]]:
    for line in (ANSWERS / f"{kind}.jsonl").read_text().splitlines():
        answer = json.loads(line)
        yield answer["document"], answer["fields"]


def refused_fields(kind: str, document: dict[str, Any]) -> list[str]:
    mesh = {"mesh": "default"} if REGISTRY.kind(kind).is_mesh_scoped else {}
    try:
        parse_document(REGISTRY, {"type": kind, "name": "one", **mesh, **document})
    except InvalidResource as error:
        return sorted(violation.field for violation in error.violations)
    return []


@pytest.mark.parametrize("kind", KINDS)
def test_names_the_fields_that_kuma_names(kind: str) -> None:
    different = [
        (document, found, fields)
        for document, fields in answers(kind)
        if (found := refused_fields(kind, document)) != sorted(fields)
    ]
    assert different == []


def test_every_policy_has_answers() -> None:
    assert {kind.name for kind in REGISTRY.policies()} <= set(KINDS)
