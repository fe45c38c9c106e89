"""kuma-cp's log: lines for people on a terminal, JSON by setting; never a secret.

The lines have the shape of kuma-dp's (dataplane/log.py), also those of libraries.
"""

import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

import structlog

from kuma.dataplane.log import Format, Level, json_format, text_format


def configure_logs(*, level: str, output: str) -> None:
    """`output` is `text`, `json`, or `auto`: text on a terminal, JSON elsewhere."""
    at_least = Level[level.upper()]
    if output == "auto":
        output = "text" if sys.stderr.isatty() else "json"
    render = json_format if output == "json" else text_format

    def line(logger: _Lines, __: str, event: MutableMapping[str, Any]) -> str:
        found = Level[event.pop("level", "info").upper().replace("CRITICAL", "ERROR")]
        traceback = event.pop("exception", None)
        text = render(event.pop("timestamp"), found, logger.name, str(event.pop("event")), event)
        return f"{text}\n{traceback}" if traceback else text

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _stamp,
            structlog.processors.format_exc_info,
            line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(int(at_least)),
        logger_factory=_Lines,
        cache_logger_on_first_use=True,
    )
    of_libraries = logging.StreamHandler(sys.stderr)
    of_libraries.setFormatter(_OfLibraries(render))
    logging.basicConfig(level=max(int(at_least), logging.WARNING), handlers=[of_libraries])


class _OfLibraries(logging.Formatter):
    def __init__(self, render: Format) -> None:
        super().__init__()
        self._render = render

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        level = Level.ERROR if record.levelno >= logging.ERROR else Level.WARNING
        text = self._render(at, level, record.name, record.getMessage(), {})
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


class _Lines(structlog.PrintLogger):
    """Writes finished lines to standard error. `name` is what the module asked for its logger by."""

    def __init__(self, name: str = "kuma-cp") -> None:
        super().__init__(sys.stderr)
        self.name = name


def _stamp(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event["timestamp"] = datetime.now(UTC)
    return event
