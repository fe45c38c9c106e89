"""Regular expressions that Envoy would refuse are refused before they get there."""

import pytest

from kuma.kit.regex import find_regex_error


@pytest.mark.parametrize("text", ["", "a", "/v[0-9]+/.*", "(?i)x", r"\p{L}+", "é", "(a|b){2,3}"])
def test_what_envoy_takes_has_no_error(text: str) -> None:
    assert find_regex_error(text) is None


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("(", "missing ): ("),
        ("*.example.com", "no argument for repetition operator: *"),
        ("(?=a)", "invalid perl operator: (?="),
        (r"(\d)\1", r"invalid escape sequence: \1"),
        ("a{1001}", "invalid repetition size: {1001}"),
        ("((a{100}){100}){100}", "invalid repetition size: {100}"),
    ],
)
def test_what_only_other_libraries_take_is_told(text: str, error: str) -> None:
    assert find_regex_error(text) == error
