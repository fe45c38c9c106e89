"""A log in a file that is set aside when it has grown, and thrown away when it is old.

`kuma.log` is set aside as `kuma-2026-01-01T09-15-18.265.log`, as Kuma does. Times are UTC.
"""

from datetime import datetime, timedelta
from pathlib import Path

from kuma.kit.clock import Clock, SystemClock

_STAMP = "%Y-%m-%dT%H-%M-%S.%f"


class LogFile:
    """Call it with a line. `keep` files at most are set aside, none older than `max_age`; 0 of
    either: no limit."""

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int,
        keep: int,
        max_age: timedelta,
        clock: Clock | None = None,
    ) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._keep = keep
        self._max_age = max_age
        self._clock = clock or SystemClock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)

    def __call__(self, line: str) -> None:
        content = line.encode(errors="replace") + b"\n"
        if self._file.tell() and self._file.tell() + len(content) > self._max_bytes:
            self._rotate()
        self._file.write(content)

    def close(self) -> None:
        self._file.close()

    def _rotate(self) -> None:
        self._file.close()
        now = self._clock.now()
        stamp = now.strftime(_STAMP)[:-3]
        self._path.rename(self._path.with_stem(f"{self._path.stem}-{stamp}"))
        self._file = self._path.open("ab", buffering=0)
        for old in self._too_many(now):
            old.unlink(missing_ok=True)

    def _too_many(self, now: datetime) -> list[Path]:
        """Newest first, by the time in their names."""
        dated = [(when, path) for path in self._set_aside() if (when := self._time(path))]
        newest = [path for _, path in sorted(dated, reverse=True)]
        oldest = now.replace(tzinfo=None) - self._max_age
        expired = [path for when, path in dated if self._max_age and when < oldest]
        return (newest[self._keep :] if self._keep else []) + expired

    def _set_aside(self) -> list[Path]:
        return list(self._path.parent.glob(f"{self._path.stem}-*{self._path.suffix}"))

    def _time(self, path: Path) -> datetime | None:
        try:
            return datetime.strptime(path.stem.removeprefix(f"{self._path.stem}-"), _STAMP)  # noqa: DTZ007
        except ValueError:
            return None
