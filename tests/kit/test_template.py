from string import ascii_letters

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuma.kit.template import BadTemplate, render, unused

NAMES = st.text(ascii_letters + "_.-", min_size=1)


@pytest.mark.parametrize("tag", ["{{ name }}", "{{name}}", "{{{ name }}}", "{{& name }}"])
def test_a_variable_is_replaced_by_its_value_as_it_is(tag: str) -> None:
    assert render(f"a: {tag}, b", {"name": "<&>"}) == "a: <&>, b"


@given(variables=st.dictionaries(NAMES, st.text()))
def test_what_comes_from_a_value_is_not_rendered_again(variables: dict[str, str]) -> None:
    template = "|".join(f"{{{{ {name} }}}}" for name in variables)
    assert render(template, variables) == "|".join(variables.values())


@given(text=st.text().filter(lambda text: "{{" not in text))
def test_text_without_variables_stays(text: str) -> None:
    assert render(text, {}) == text


def test_comments_vanish() -> None:
    assert render("a{{! not said }}b", {}) == "ab"


def test_a_missing_value_is_named_with_its_line_and_the_nearest_variable() -> None:
    with pytest.raises(
        BadTemplate, match='line 2: variable "nme" has no value, did you mean "name"'
    ):
        render("a\nb: {{ nme }}", {"name": "x"})


def test_sections_are_refused() -> None:
    with pytest.raises(BadTemplate, match=r"line 1: \{\{#all\}\} is not supported"):
        render("{{#all}}x{{/all}}", {"all": "1"})


def test_unused_variables_are_known() -> None:
    assert unused("{{ a }}{{{b}}}", {"a": "1", "c": "2", "b": "3"}) == ("c",)


def test_templates_of_go_stay() -> None:
    text = "{{ .DisplayName }}.{{ zone }}.mesh"
    assert render(text, {"zone": "east"}) == "{{ .DisplayName }}.east.mesh"
