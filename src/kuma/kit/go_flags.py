"""Flags as Go programs take them, for click: `--skip-verify`, `--dns-enabled=false`, `-f=file`,
durations, `key=value` lists, comma lists."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any

import click

from kuma.kit.durations import parse_duration


class DurationType(click.ParamType[timedelta]):
    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        if isinstance(value, timedelta):
            return value
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION = DurationType()


def with_boolean_values(arguments: Iterable[str], booleans: Iterable[str]) -> list[str]:
    """`--skip-verify` becomes `--skip-verify=true`: click's flags take either a value or none."""
    known = {f"--{name}" for name in booleans}
    return [f"{each}=true" if each in known else each for each in arguments]


def as_click_takes_them(
    arguments: Sequence[str], options: Iterable[click.Option], *, interspersed: bool = True
) -> list[str]:
    """The same flags in click's form, for a command that has `options`.

    Booleans are options of type BOOL that take a value. Without `interspersed` what follows the
    first argument belongs to another command.
    """
    by_flag = {flag: option for option in options for flag in option.opts}
    return list(_as_click_takes_them(iter(arguments), by_flag, interspersed))


def _as_click_takes_them(
    arguments: Iterator[str], by_flag: Mapping[str, click.Option], interspersed: bool
) -> Iterator[str]:
    for each in arguments:
        flag, equals, text = each.partition("=")
        option = by_flag.get(flag)
        is_argument = each == "-" or not each.startswith("-")
        if each == "--" or (is_argument and not interspersed):
            yield each
            yield from arguments
        elif is_argument or option is None or option.is_flag:
            yield each
        elif option.type is click.BOOL:
            yield f"{_long(option)}={text if equals else 'true'}"
        elif equals:
            yield f"{_long(option)}={text}"
        else:
            yield each
            yield from islice(arguments, 1)


def _long(option: click.Option) -> str:
    return max(option.opts, key=len)


def parse_list(values: Iterable[str]) -> tuple[str, ...]:
    """`a`, `b,c`. Source: https://pkg.go.dev/github.com/spf13/pflag#StringSlice."""
    return tuple(each for value in values for each in next(csv.reader([value]), []))


def parse_pairs(values: Iterable[str]) -> dict[str, str]:
    """`a=1`, `b=2,c=3`; a value with one `=` is taken whole, commas and all. Raises ValueError.

    Source: https://pkg.go.dev/github.com/spf13/pflag#StringToString.
    """
    found: dict[str, str] = {}
    for value in values:
        for pair in [value] if value.count("=") == 1 else next(csv.reader([value]), []):
            key, separator, text = pair.partition("=")
            if not separator:
                msg = f'"{pair}" must be formatted as key=value'
                raise ValueError(msg)
            found[key] = text
    return found
