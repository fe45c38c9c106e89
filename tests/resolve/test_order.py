"""Who wins where several policies say something."""

from collections.abc import Mapping
from typing import Any

import pytest

from kuma.resolve.match import matched_policies
from kuma.resolve.order import weakest_first
from kuma.resolve.subject import subject_of
from tests.resolve.world import a_timeout, a_view
from tests.support.builders import a_dataplane

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
        (
            {
                "top": {**DATAPLANE, "labels": {"a": "b"}},
                "labels": {"kuma.io/origin": "zone"},
            },
            {"top": {**DATAPLANE, "name": "a"}},
        ),
        (
            {"top": {**DATAPLANE, "labels": {"a": "b"}}},
            {"top": {**DATAPLANE, "labels": {"a": "b"}, "sectionName": "x"}},
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
        assert [each.name for each in weakest_first(view.policies("MeshTimeout"))] == [*names]


def test_of_equals_the_alphabetically_first_wins() -> None:
    view = a_view(*(a_timeout(name, 1) for name in "bca"))
    assert [each.name for each in weakest_first(view.policies("MeshTimeout"))] == ["c", "b", "a"]


def test_the_display_name_counts() -> None:
    named = {"kuma.io/display-name": "z"}
    view = a_view(a_timeout("a", 1, labels=named), a_timeout("b", 1))
    assert [each.name for each in weakest_first(view.policies("MeshTimeout"))] == ["a", "b"]


def test_those_that_are_called_alike_stay_in_the_order_of_their_names() -> None:
    named = {"kuma.io/display-name": "z"}
    view = a_view(*(a_timeout(name, 1, labels=named) for name in "bca"))
    assert [each.name for each in weakest_first(view.policies("MeshTimeout"))] == ["a", "b", "c"]


def test_policies_that_do_not_hold_change_nothing_between_those_that_do() -> None:
    """`Dataplane` alone ties with the two others, of which the one by name is the stronger."""
    by_labels = a_timeout("a", 1, top={**DATAPLANE, "labels": {"app": "other"}})
    alone = a_timeout("b", 2, top=DATAPLANE)
    by_name = a_timeout("c", 3, top={**DATAPLANE, "name": "backend-1"})
    view = a_view(by_labels, alone, by_name, a_dataplane())
    subject = subject_of(view, "backend-1")
    assert subject is not None
    assert matched_policies(view, "MeshTimeout", subject).names == ("c", "b")
