"""Durations in Go's text form, as Kuma's users write and read them: `10s`, `1h30m`, `250ms`.

Source: https://pkg.go.dev/time#ParseDuration and time.Duration.String.
"""

import re
from datetime import timedelta
from decimal import Decimal

_UNITS = {
    "ns": Decimal("0.001"),
    "us": Decimal(1),
    "µs": Decimal(1),
    "μs": Decimal(1),
    "ms": Decimal(1000),
    "s": Decimal(1_000_000),
    "m": Decimal(60_000_000),
    "h": Decimal(3_600_000_000),
}
_NUMBER = r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+"
_UNIT = "ns|us|µs|μs|ms|s|m|h"
_WHOLE = re.compile(rf"[+-]?(?:(?:{_NUMBER})(?:{_UNIT}))+")
_PART = re.compile(rf"({_NUMBER})({_UNIT})")

LONGEST = timedelta(microseconds=(2**63 - 1) // 1000)
"""What Go's time.Duration holds, 292 years; nor does Envoy take more."""


def parse_duration(text: str) -> timedelta:
    """Read Go's form, to the microsecond. Raises ValueError that names the text."""
    if text in {"0", "+0", "-0"}:
        return timedelta(0)
    if not _WHOLE.fullmatch(text):
        msg = f'invalid duration "{_shown(text)}": must look like 10s, 250ms or 1h30m'
        raise ValueError(msg)
    micros = sum((Decimal(n) * _UNITS[unit] for n, unit in _PART.findall(text)), Decimal(0))
    if micros > LONGEST // timedelta(microseconds=1):
        msg = f'invalid duration "{_shown(text)}": must be at most {format_duration(LONGEST)}'
        raise ValueError(msg)
    return timedelta(microseconds=int(-micros if text.startswith("-") else micros))


def format_duration(duration: timedelta) -> str:
    """Write Go's form: `1m0s`, `1.5s`, `250ms`, `0s`."""
    micros = duration // timedelta(microseconds=1)
    if micros == 0:
        return "0s"
    sign, micros = ("-", -micros) if micros < 0 else ("", micros)
    if micros < 1000:
        return f"{sign}{micros}µs"
    if micros < 1_000_000:
        return f"{sign}{_trim(Decimal(micros) / 1000)}ms"
    minutes, rest = divmod(micros, 60_000_000)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{_trim(Decimal(rest) / 1_000_000)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{seconds}"
    return f"{sign}{minutes}m{seconds}" if minutes else f"{sign}{seconds}"


def _shown(text: str) -> str:
    return text if len(text) <= 50 else f"{text[:50]}..."


def _trim(number: Decimal) -> str:
    return format(number.normalize(), "f")
