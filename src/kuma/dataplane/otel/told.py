"""Where the control plane says that collectors are, and what of the environment counts for each.

Source: Kuma's form, at `/otel`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from kuma.kit.durations import parse_duration
from kuma.plan.signal import Signal

PATH = "/otel"
_EXPLICIT_FIRST = "ExplicitFirst"
_REQUIRED_ENV_MISSING = "RequiredEnvMissing"
_NO_ENV = {"EnvDisabledByPolicy", "MultipleBackendsForSignal"}
_NO_OVERRIDES = {"SignalOverridesDisallowed", *_NO_ENV}
_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ToldSignal:
    missing: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    every: timedelta = _EVERY

    @property
    def is_blocked(self) -> bool:
        return bool(self.missing) or _REQUIRED_ENV_MISSING in self.blocked

    @property
    def allows_env(self) -> bool:
        return not _NO_ENV.intersection(self.blocked)

    @property
    def allows_overrides(self) -> bool:
        return not _NO_OVERRIDES.intersection(self.blocked)


@dataclass(frozen=True, slots=True)
class ToldBackend:
    """`host` empty: that of the machine. `explicit_first`: all this goes before the environment."""

    name: str
    socket: str
    host: str
    port: int
    is_http: bool = False
    is_secure: bool = False
    path: str = ""
    explicit_first: bool = False
    signals: tuple[tuple[Signal, ToldSignal], ...] = ()

    def of(self, signal: Signal) -> ToldSignal | None:
        """None: nothing of it goes there."""
        return next((told for each, told in self.signals if each is signal), None)


def parse_told(text: bytes) -> tuple[ToldBackend, ...]:
    """Raises ValueError for what is no such document."""
    try:
        return tuple(map(_backend, json.loads(text)["backends"] or ()))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not what kuma-dp understands: {error!r}") from error


def _backend(told: Mapping[str, Any]) -> ToldBackend:
    host, _, port = told["endpoint"].rpartition(":")
    terms = told.get("envPolicy") or {}
    found = ((signal, told.get(str(signal))) for signal in Signal)
    return ToldBackend(
        name=told.get("name") or "",
        socket=told["socketPath"],
        host=host.strip("[]"),
        port=int(port),
        is_http=told.get("useHTTP") is True,
        is_secure=told.get("useHTTPS") is True,
        path=told.get("path") or "",
        explicit_first=terms.get("precedence") == _EXPLICIT_FIRST,
        signals=tuple((signal, _signal(each)) for signal, each in found if _is_enabled(each)),
    )


def _is_enabled(told: Mapping[str, Any] | None) -> bool:
    return bool(told) and told is not None and told.get("enabled") is True


def _signal(told: Mapping[str, Any] | None) -> ToldSignal:
    told = told or {}
    every = told.get("refreshInterval")
    return ToldSignal(
        missing=tuple(told.get("missingFields") or ()),
        blocked=tuple(told.get("blockedReasons") or ()),
        every=parse_duration(every) if every else _EVERY,
    )
