"""The flags of logging: on the program and on each command, as Go programs have them."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from kuma.dataplane.log import Level, Log, json_format, text_format, to_stderr

_LEVELS = ["off", "error", "warning", "info", "debug"]
_KEY = "kuma.log."
_MEBIBYTE = 1 << 20


def log_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds them; what they say is for `log_of`."""
    for name, kind, text, variable in (
        ("level", click.Choice(_LEVELS), "(default info)", None),
        ("format", click.Choice(["text", "json"]), "(default text)", "KUMA_LOG_FORMAT"),
        ("output-path", click.Path(), "File for the log instead of standard error", None),
        ("max-size", click.IntRange(1), "Megabytes until that file is set aside (default 100)", None),
        ("max-retained-files", click.IntRange(0), "How many are kept (default 1000)", None),
        ("max-age", click.IntRange(0), "For how many days (default 30)", None),
    ):  # fmt: skip
        option = click.option(
            f"--log-{name}",
            type=kind,
            help=text,
            envvar=variable,
            expose_value=False,
            callback=_remember,
        )
        command = option(command)
    return command


def _remember(context: click.Context, parameter: click.Parameter, given: Any) -> None:
    """The command's own flag is read after the program's and wins."""
    if given is not None and parameter.name is not None:
        context.meta[f"{_KEY}{parameter.name}"] = given


def log_of(context: click.Context) -> Log:
    def given(name: str, default: Any) -> Any:
        return context.meta.get(f"{_KEY}log_{name}", default)

    formatted = json_format if given("format", "text") == "json" else text_format
    level = Level[given("level", "info").upper()]
    path = given("output_path", "")
    if not path:
        return Log("kuma-dp", level, to_stderr, formatted)
    from kuma.kit.log_file import LogFile

    try:
        file = LogFile(
            Path(path).absolute(),
            max_bytes=given("max_size", 100) * _MEBIBYTE,
            keep=given("max_retained_files", 1000),
            max_age=timedelta(days=given("max_age", 30)),
        )
    except OSError as error:
        raise click.UsageError(f"--log-output-path {path}: {error.strerror}") from error
    return Log("kuma-dp", level, file, formatted)
