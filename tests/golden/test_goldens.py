"""What is made of resources, from the plan to Envoy's configuration, as files to read and review.

`make goldens` writes them anew; the diff is the review.
"""

from dataclasses import replace

import pytest

from tests.golden.case import Case, find_cases, find_left_over
from tests.support.envoy_validate import rejections

CASES = find_cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden(case: Case, update_goldens: bool) -> None:
    for suffix, text in case.texts().items():
        golden = case.golden(suffix)
        if update_goldens:
            golden.write_text(text)
        assert golden.exists(), f"no {golden.name}: run with --update-goldens"
        assert text == golden.read_text()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_order_of_resources_does_not_matter(case: Case) -> None:
    assert replace(case, is_reversed=True).resources == case.resources


def test_envoy_accepts_every_golden() -> None:
    assert rejections({case.name: case.resources for case in CASES}) == {}


def test_no_golden_is_left_over() -> None:
    assert find_left_over() == []
