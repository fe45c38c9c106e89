"""A patch says what must be done, and what was there."""

import json
from typing import Any

import jsonpatch
from hypothesis import given
from hypothesis.strategies import booleans, dictionaries, integers, lists, recursive, text

from kuma.kit.json_diff import json_diff

_VALUES = recursive(
    booleans() | integers(0, 3) | text("ab/~", max_size=2),
    lambda inner: lists(inner, max_size=4) | dictionaries(text("ab/~", max_size=2), inner),
    max_leaves=12,
)


@given(dictionaries(text("ab/~", max_size=2), _VALUES), dictionaries(text("ab/~"), _VALUES))
def test_applied_to_the_one_it_gives_the_other(old: Any, new: Any) -> None:
    patch = list(json_diff(old, new))
    made = jsonpatch.apply_patch(old, patch)
    assert json.dumps(made, sort_keys=True) == json.dumps(new, sort_keys=True)


@given(_VALUES)
def test_nothing_is_to_be_done_where_nothing_differs(value: Any) -> None:
    assert list(json_diff(value, json.loads(json.dumps(value)))) == []


def test_what_was_there_is_asked_for() -> None:
    old = {"a/b": {"x": "1s", "list": [1, 2, 3, 4]}, "gone": True}
    new = {"a/b": {"x": "2s", "list": [1, 5, 4]}, "new": [1]}
    assert list(json_diff(old, new)) == [
        {"op": "test", "path": "/a~1b/list/1", "value": 2},
        {"op": "remove", "path": "/a~1b/list/1", "value": 2},
        {"op": "add", "path": "/a~1b/list/1", "value": 5},
        {"op": "test", "path": "/a~1b/list/2", "value": 3},
        {"op": "remove", "path": "/a~1b/list/2", "value": 3},
        {"op": "test", "path": "/a~1b/x", "value": "1s"},
        {"op": "remove", "path": "/a~1b/x", "value": "1s"},
        {"op": "add", "path": "/a~1b/x", "value": "2s"},
        {"op": "test", "path": "/gone", "value": True},
        {"op": "remove", "path": "/gone", "value": True},
        {"op": "add", "path": "/new", "value": [1]},
    ]
