"""The supervisor's log lines: an event and its fields, as text for people or JSON for machines.

The lines look like those of kuma-cp, which writes them with structlog. That library is not used
here because it loads rich for its tracebacks: 0.3 s and 13 MiB, beside every service.
"""

import contextlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, Self


class Level(IntEnum):
    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40
    OFF = 100


Sink = Callable[[str], None]
Format = Callable[[datetime, Level, str, str, Mapping[str, Any]], str]


def to_stderr(line: str) -> None:
    """Nobody listening is no reason to end."""
    with contextlib.suppress(OSError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def text_format(
    at: datetime, level: Level, name: str, event: str, fields: Mapping[str, Any]
) -> str:
    """`2026-01-01T10:00:00.000Z [info     ] event  [kuma-dp] key=value`"""
    stamp = at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
    pairs = "".join(f" {key}={_shown(value)}" for key, value in fields.items())
    return f"{stamp} [{level.name.lower():<7}] {event} [{name}]{pairs}"


def json_format(
    at: datetime, level: Level, name: str, event: str, fields: Mapping[str, Any]
) -> str:
    line = {
        "timestamp": at.isoformat().replace("+00:00", "Z"),
        "level": level.name.lower(),
        "logger": name,
        "event": event,
        **fields,
    }
    return json.dumps(line, default=str, ensure_ascii=False)


def _shown(value: object) -> str:
    text = str(value)
    plain = text and not any(char in ' "=\n\t' for char in text)
    return text if plain else json.dumps(text, ensure_ascii=False)


@dataclass(frozen=True)
class Log:
    name: str = "kuma-dp"
    level: Level = Level.INFO
    write: Sink = to_stderr
    format: Format = text_format

    def named(self, name: str, *, level: Level) -> Self:
        return replace(self, name=name, level=level)

    def at(self, level: Level, event: str, **fields: Any) -> None:
        if level >= self.level:
            self.write(self.format(datetime.now(UTC), level, self.name, event, fields))

    def debug(self, event: str, **fields: Any) -> None:
        self.at(Level.DEBUG, event, **fields)

    def info(self, event: str, **fields: Any) -> None:
        self.at(Level.INFO, event, **fields)

    def warning(self, event: str, **fields: Any) -> None:
        self.at(Level.WARNING, event, **fields)

    def error(self, event: str, **fields: Any) -> None:
        self.at(Level.ERROR, event, **fields)
