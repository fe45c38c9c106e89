from datetime import UTC, datetime, timedelta

import pytest

from kuma.app.ctl.output import (
    age,
    format_age,
    local_time,
    print_document,
    render_table,
    tag_text,
)
from kuma.kit.clock import ManualClock


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-2, "never"),
        (-1, "0s"),
        (0, "0s"),
        (59.9, "59s"),
        (60, "1m"),
        (3599, "59m"),
        (3600, "1h"),
        (86_399, "23h"),
        (86_400, "1d"),
        (365 * 86_400 - 1, "364d"),
        (365 * 86_400, "1y"),
        (3650 * 86_400, "10y"),
    ],
)
def test_ages_are_in_their_largest_unit(seconds: float, text: str) -> None:
    assert format_age(timedelta(seconds=seconds)) == text


def test_nanoseconds_and_absent_times_have_ages() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert age("2025-12-31T23:59:00.123456789Z", now) == "59s"
    assert age(None, ManualClock().now()) == "never"
    assert local_time(None) == "-"


def test_columns_are_as_wide_as_their_widest_cell_but_the_last() -> None:
    assert render_table([("A", "BB", "C"), ("aaa", "b", "ccccc"), ("", "", "")]) == (
        "A     BB   C\naaa   b    ccccc\n           \n"
    )


def test_tags_show_all_values_sorted() -> None:
    sets = [{"b": "2", "a": "1"}, {"b": "1"}, {}]
    assert tag_text(sets) == "a=1 b=1,2"
    assert not tag_text([])


def test_a_spec_at_the_root_comes_after_what_the_resource_is_called(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_document({"type": "Mesh", "name": "default", "mtls": {"a": 1}, "labels": {}}, "yaml")
    assert capsys.readouterr().out == "labels: {}\nname: default\ntype: Mesh\nmtls:\n  a: 1\n"
    print_document({"type": "MeshTimeout", "spec": {"a": 1}, "name": "t"}, "yaml")
    assert capsys.readouterr().out == "name: t\nspec:\n  a: 1\ntype: MeshTimeout\n"
