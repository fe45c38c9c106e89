"""Flags as Go programs take them, for click: `--skip-verify`, `--dns-enabled=false`, durations,
`key=value` lists."""

import csv
from collections.abc import Iterable
from datetime import timedelta
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
