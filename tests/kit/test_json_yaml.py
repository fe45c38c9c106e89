import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuma.kit.json_yaml import BadYaml, Document, dump_yaml, load_documents, load_yaml

_LETTERS = "abcdefghi"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]" for before, name in pairwise(_LETTERS)
)
"""Some 400 characters that stand for a thousand million values."""

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=8,
)


@given(content=VALUES)
def test_what_is_written_is_read_back(content: object) -> None:
    assert load_yaml(dump_yaml({"a": content})) == {"a": content}


@given(content=VALUES)
def test_json_is_yaml(content: object) -> None:
    assert load_yaml(json.dumps({"a": content}, ensure_ascii=False, indent=1)) == {"a": content}


def test_json_may_be_indented_with_tabs() -> None:
    assert load_yaml('{\n\t"a": 1\n}') == {"a": 1}


@pytest.mark.parametrize("text", ["2020-01-01", "1:30", "12:30:45", "2001-12-14t21:59:43.10-05:00"])
def test_dates_and_times_are_text(text: str) -> None:
    assert load_yaml(f"a: {text}") == {"a": text}


def test_documents_know_their_lines_and_empty_ones_do_not_count() -> None:
    assert load_documents("a: 1\n---\n# nothing\n---\n---\nb: 2\n") == [
        Document({"a": 1}, 1),
        Document({"b": 2}, 6),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\n  b: [\n", "line 2, column 4: mapping values are not allowed in this context"),
        ("a: 1\nb: 2\na: 3", 'line 3, column 1: key "a" is there already'),
        ("a: !!python/object:x {}", "line 1, column 4: could not determine a constructor"),
        ("a: *b", "line 1, column 4: found undefined alias"),
        ("[" * 10_000, ""),
        ("a: 0x_", 'line 1, column 4: "0x_" is no number, or too long'),
        ("a: -.inf", 'line 1, column 4: "-.inf" is no number, or too long'),
        ("a: 1.0e+999", 'line 1, column 4: "1.0e+999" is no number, or too long'),
        ("a: " + "9" * 5000, f'line 1, column 4: "{"9" * 40}" is no number, or too long'),
        (BOMB, "line 1, column 1: aliases repeat more than 100000 values"),
        ("b: 1\na: &a {b: [*a]}", "line 2, column 4: an alias stands for what it is part of"),
        ("b: 1\na: &a {<<: *a}", "line 2, column 4: an alias stands for what it is part of"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(text: str, message: str) -> None:
    with pytest.raises(BadYaml) as raised:
        load_documents(text)
    assert str(raised.value).startswith(message)


def test_one_document_is_one() -> None:
    with pytest.raises(BadYaml, match="line 3, column 1: there must be one document only"):
        load_yaml("a: 1\n---\nb: 1")


def test_a_merge_is_no_second_key() -> None:
    assert load_yaml("a: &x {b: 1}\nc:\n  <<: *x\n  b: 2") == {"a": {"b": 1}, "c": {"b": 2}}


def test_aliases_may_repeat_what_they_like_within_reason() -> None:
    text = "a: &a [1, 2]\nb: [" + ", ".join(["*a"] * 1000) + "]"
    assert load_yaml(text) == {"a": [1, 2], "b": [[1, 2]] * 1000}


def test_text_that_could_be_something_else_is_quoted() -> None:
    content = {"b": "1", "a": ["true", "x", "2020-01-01T00:00:00Z"]}
    assert dump_yaml(content) == 'a:\n- "true"\n- x\n- "2020-01-01T00:00:00Z"\nb: "1"\n'
    assert dump_yaml(["*", "*.a", "y", "yes", ""]) == """- '*'\n- '*.a'\n- "y"\n- "yes"\n- ""\n"""
