"""Who wins where several policies say something."""

from collections.abc import Mapping
from typing import Any

import pytest

from kuma.resolve.order import ordered_policies
from tests.resolve.world import a_timeout, a_view

DATAPLANE = {"kind": "Dataplane"}


@pytest.mark.parametrize(
    ("weaker", "stronger"),
    [
        ({"top": {"kind": "Mesh"}}, {"top": DATAPLANE}),
        ({"top": DATAPLANE}, {"top": {"kind": "MeshSubset"}}),
        ({"top": {"kind": "MeshSubset"}}, {"top": {"kind": "MeshService", "name": "a"}}),
        (
            {"top": {"kind": "MeshService", "name": "a"}},
            {"top": {"kind": "MeshServiceSubset", "name": "a"}},
        ),
        (
            {"top": {"kind": "MeshServiceSubset", "name": "a"}},
            {"top": {"kind": "MeshHTTPRoute", "name": "a"}},
        ),
        (
            {"top": {**DATAPLANE, "labels": {"a": "b"}, "sectionName": "x"}},
            {"top": {**DATAPLANE, "name": "a"}},
        ),
        ({"top": DATAPLANE}, {"top": {**DATAPLANE, "sectionName": "x"}}),
        ({"labels": {"kuma.io/origin": "global"}}, {}),
        ({}, {"labels": {"kuma.io/origin": "zone"}}),
        ({}, {"labels": {"kuma.io/policy-role": "producer"}}),
        (
            {"labels": {"kuma.io/policy-role": "producer"}},
            {"labels": {"kuma.io/policy-role": "consumer"}},
        ),
        (
            {"labels": {"kuma.io/policy-role": "consumer"}},
            {"labels": {"kuma.io/policy-role": "workload-owner"}},
        ),
        (
            {"top": {"kind": "MeshGateway", "name": "a", "tags": {"a": "b"}}},
            {"top": {"kind": "MeshGateway", "name": "a", "tags": {"a": "b", "c": "d"}}},
        ),
        (
            {"labels": {"kuma.io/origin": "global", "kuma.io/policy-role": "workload-owner"}},
            {"labels": {"kuma.io/origin": "zone"}},
        ),
    ],
)
def test_the_more_specific_wins_whatever_the_names(
    weaker: Mapping[str, Any], stronger: Mapping[str, Any]
) -> None:
    for names in (("a", "b"), ("b", "a")):
        view = a_view(a_timeout(names[0], 1, **weaker), a_timeout(names[1], 2, **stronger))
        assert [each.name for each in ordered_policies(view, "MeshTimeout")] == [*names]


def test_of_equals_the_alphabetically_first_wins() -> None:
    view = a_view(*(a_timeout(name, 1) for name in "bca"))
    assert [each.name for each in ordered_policies(view, "MeshTimeout")] == ["c", "b", "a"]


def test_the_display_name_counts() -> None:
    named = {"kuma.io/display-name": "z"}
    view = a_view(a_timeout("a", 1, labels=named), a_timeout("b", 1))
    assert [each.name for each in ordered_policies(view, "MeshTimeout")] == ["a", "b"]
