"""Flags of Go programs in click's form."""

import click
import pytest

from kuma.kit.go_flags import as_click_takes_them, parse_list

OPTIONS = [
    click.Option(["-f", "--file"]),
    click.Option(["-a", "--all"], type=click.BOOL),
    click.Option(["--help"], is_flag=True),
]


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("--file x", "--file x"),
        ("--file=x", "--file=x"),
        ("-f=x", "--file=x"),
        ("-f x", "-f x"),
        ("-fx", "-fx"),
        ("-f -", "-f -"),
        ("--file=", "--file="),
        ("--all", "--all=true"),
        ("-a", "--all=true"),
        ("--all=false", "--all=false"),
        ("-a=f", "--all=f"),
        ("--all x", "--all=true x"),
        ("--file --all", "--file --all"),
        ("x --all", "x --all=true"),
        ("- --all", "- --all=true"),
        ("-- --all", "-- --all"),
        ("--help --unknown", "--help --unknown"),
    ],
)
def test_every_way_to_write_a_flag(given: str, taken: str) -> None:
    assert as_click_takes_them(given.split(), OPTIONS) == taken.split()


def test_what_follows_an_argument_may_belong_to_another_command() -> None:
    given = ["--all", "x", "--all"]
    assert as_click_takes_them(given, OPTIONS, interspersed=False) == ["--all=true", "x", "--all"]


def test_lists_are_given_at_once_or_one_by_one() -> None:
    assert parse_list(["a", 'b,"c,d"', ""]) == ("a", "b", "c,d")
