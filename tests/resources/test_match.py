"""Matches that several policies share."""

from kuma.resources.match import HeaderMatch


def test_an_empty_value_of_a_header_is_none() -> None:
    assert HeaderMatch(name="x", value="") == HeaderMatch(name="x")
    assert HeaderMatch(name="x", value="").to_json() == {"type": "Exact", "name": "x"}
