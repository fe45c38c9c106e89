"""What commands print: tables for people, YAML and JSON for programs."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from kuma.kit.go_cli import PersistentOption, persistent_value

FORMATS = ("table", "yaml", "json")
_GAP = 3
_NAMED = {"creationTime", "kri", "labels", "mesh", "modificationTime", "name", "type"}

Row = Callable[[Mapping[str, Any], datetime], Sequence[str]]
"""The cells of a document, at a time."""


@dataclass(frozen=True)
class Columns:
    headers: tuple[str, ...]
    row: Row


_OUTPUT: dict[str, Any] = {
    "type": click.Choice(FORMATS),
    "help": "Output format (default table)",
}

output_option = click.option("-o", "--output", default="table", **_OUTPUT)
"""`-o`, for a command."""


def persistent_output() -> PersistentOption:
    """`-o`, for a group and all that is in it."""
    return PersistentOption("-o", "--output", **_OUTPUT)


def form_of(context: click.Context) -> str:
    """What `-o` says: table, yaml or json."""
    return persistent_value(context, "output") or "table"


def print_document(document: Any, form: str) -> None:
    """`form` is yaml or json."""
    if form == "json":
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    from kuma.kit.json_yaml import dump_yaml

    for part in _parts(document):
        click.echo(dump_yaml(part), nl=False)


def _parts(document: Any) -> list[Any]:
    """As Kuma writes a resource whose spec is at its root: after what it is called."""
    if not isinstance(document, dict) or "type" not in document or "spec" in document:
        return [document]
    named = {key: each for key, each in document.items() if key in _NAMED}
    rest = {key: each for key, each in document.items() if key not in _NAMED}
    return [part for part in (named, rest) if part]


def print_table(
    columns: Columns, documents: Sequence[Mapping[str, Any]], *, now: datetime, footer: str = ""
) -> None:
    rows = [columns.headers, *(columns.row(each, now) for each in documents)]
    click.echo(render_table(rows), nl=False)
    if footer:
        click.echo(f"\n{footer}")


def render_table(rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell and three spaces; the last one as it is."""
    widths = [max(map(len, column)) + _GAP for column in zip(*rows, strict=True)][:-1]
    return "".join(
        "".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        + row[-1]
        + "\n"
        for row in rows
    )


def parse_time(text: object) -> datetime | None:
    """Nanoseconds are cut off."""
    return datetime.fromisoformat(text) if isinstance(text, str) and text else None


def age(text: object, now: datetime) -> str:
    """How long ago that was, in its largest unit; `never` if it was not."""
    moment = parse_time(text)
    if moment is None:
        return "never"
    return format_age(now - (moment if moment.tzinfo else moment.replace(tzinfo=UTC)))


def format_age(since: timedelta) -> str:
    """`never` for what is more than a second in the future."""
    seconds = int(since.total_seconds())
    if seconds < -1:
        return "never"
    for limit, size, unit in (
        (60, 1, "s"),
        (3600, 60, "m"),
        (86_400, 3600, "h"),
        (365 * 86_400, 86_400, "d"),
    ):
        if seconds < limit:
            return f"{max(seconds, 0) // size}{unit}"
    return f"{seconds // (365 * 86_400)}y"


def local_time(text: object) -> str:
    moment = parse_time(text)
    return "-" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def tag_text(tag_sets: Sequence[Mapping[str, str]]) -> str:
    """`kuma.io/service=web version=1,2`: all values of each tag, sorted."""
    values: dict[str, set[str]] = {}
    for tags in tag_sets:
        for tag, text in tags.items():
            values.setdefault(tag, set()).add(text)
    return " ".join(f"{tag}={','.join(sorted(values[tag]))}" for tag in sorted(values))
