"""Every policy folder is wired the same way."""

from pathlib import Path

import pytest

import kuma.policies
from kuma.policies.catalogue import POLICIES, REGISTRY
from kuma.policies.placements import PLACEMENTS
from kuma.resources.kind import Kind

FOLDERS = sorted(
    path.name for path in Path(kuma.policies.__path__[0]).iterdir() if (path / "model.py").exists()
)
ROLES = {
    "__init__",
    "model",
    "validate",
    "placement",
    "inbound",
    "route",
    "shape",
    "deprecations",
    "told",
    "serve",
    "push",
    "write",
    "report",
}


def test_every_folder_is_in_the_catalogue() -> None:
    assert sorted(kind.argument for kind in POLICIES) == FOLDERS
    assert sorted(placement.kind.argument for placement in PLACEMENTS) == FOLDERS


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_holds_roles_only(folder: str) -> None:
    files = {path.stem for path in (Path(kuma.policies.__path__[0]) / folder).glob("*.py")}
    assert {"__init__", "model", "validate", "placement"} <= files <= ROLES


def test_policies_are_in_order_of_application() -> None:
    assert list(REGISTRY.policies()) == list(POLICIES)
    assert [placement.kind for placement in PLACEMENTS] == list(POLICIES)


@pytest.mark.parametrize("kind", POLICIES, ids=lambda kind: kind.name)
def test_traits_tell_what_the_spec_has(kind: Kind) -> None:  # type: ignore[type-arg]
    assert kind.policy is not None
    fields = kind.spec.model_fields
    assert kind.policy.has_to is ("to" in fields)
    assert kind.policy.has_from is ("from_" in fields)
    assert kind.policy.has_rules is ("rules" in fields)
