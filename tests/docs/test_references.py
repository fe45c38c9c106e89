"""The generated pages say what the code says, and the code says something of every field."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kuma.api.reference import resource_reference
from kuma.api.schemas import model_schema
from kuma.app.ctl.reference import kumactl_reference
from kuma.config.docs import configuration_reference
from kuma.policies.catalogue import REGISTRY
from kuma.resources.kind import AnyKind

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


@pytest.mark.parametrize(
    ("page", "build"),
    [
        ("configuration.md", configuration_reference),
        ("kumactl.md", kumactl_reference),
        ("resources.md", resource_reference),
    ],
)
def test_page_is_up_to_date(page: str, build: Callable[[], str]) -> None:
    written = (REFERENCE / page).read_text(encoding="utf-8")
    assert written == build(), f"docs/reference/{page} is stale: run `make docs`"


@pytest.mark.parametrize(
    "kind", [kind for kind in REGISTRY if kind.path], ids=lambda kind: kind.name
)
def test_every_field_is_described(kind: AnyKind) -> None:
    schema = model_schema(kind.spec)
    models = {"": schema, **schema.get("$defs", {})}
    silent = [
        f"{model}.{field}"
        for model, inside in models.items()
        for field, about in inside.get("properties", {}).items()
        if not about.get("description")
    ]
    assert silent == []


def test_every_link_of_the_resource_reference_leads_somewhere() -> None:
    page = resource_reference()
    anchors = {
        line.lstrip("# ").lower().replace(" ", "-")
        for line in page.splitlines()
        if line.startswith("#")
    }
    links = {part.partition(")")[0] for part in page.split("](#")[1:]}
    assert links <= anchors
