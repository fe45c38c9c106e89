"""Matches that several policies share."""

import pytest

from kuma.resources.match import HeaderMatch, find_spiffe_id_error


def test_an_empty_value_of_a_header_is_none() -> None:
    assert HeaderMatch(name="x", value="") == HeaderMatch(name="x")
    assert HeaderMatch(name="x", value="").to_json() == {"type": "Exact", "name": "x"}


DOMAIN = "trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores"
PATH = "path segment characters are limited to letters, numbers, dots, dashes, and underscores"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("spiffe://a", None),
        ("spiffe://a_b.c-1/X/y.z-_", None),
        ("", "cannot be empty"),
        ("http://a/b", "scheme is missing or invalid"),
        ("spiffe://", "trust domain is missing"),
        ("spiffe:///a", "trust domain is missing"),
        ("spiffe://A/b", DOMAIN),
        ("spiffe://a:1/b", DOMAIN),
        ("spiffe://a?x", DOMAIN),
        ("spiffe://a/", "path cannot have a trailing slash"),
        ("spiffe://a//b", "path cannot contain empty segments"),
        ("spiffe://a/./b", "path cannot contain dot segments"),
        ("spiffe://a/../b", "path cannot contain dot segments"),
        ("spiffe://a/b c", PATH),
        ("spiffe://a/b%20", PATH),
    ],
)
def test_what_is_no_spiffe_id_is_told(text: str, error: str | None) -> None:
    assert find_spiffe_id_error(text) == error
