from datetime import timedelta
from pathlib import Path

from kuma.kit.clock import ManualClock
from kuma.kit.log_file import LogFile


def log_in(
    folder: Path, clock: ManualClock, *, keep: int = 0, max_age: timedelta = timedelta(0)
) -> LogFile:
    return LogFile(folder / "dp.log", max_bytes=10, keep=keep, max_age=max_age, clock=clock)


def files(folder: Path) -> dict[str, str]:
    return {each.name: each.read_text() for each in sorted(folder.iterdir())}


def test_lines_are_appended_also_after_a_restart(tmp_path: Path) -> None:
    for line in ("one", "two"):
        log = log_in(tmp_path, ManualClock())
        log(line)
        log.close()
    assert files(tmp_path) == {"dp.log": "one\ntwo\n"}


def test_a_file_that_would_grow_too_large_is_set_aside(tmp_path: Path) -> None:
    log = log_in(tmp_path, ManualClock())
    log("one")
    log("too long for it")
    log.close()
    assert files(tmp_path) == {
        "dp-2026-01-01T00-00-00.000.log": "one\n",
        "dp.log": "too long for it\n",
    }


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    clock = ManualClock()
    log = log_in(tmp_path, clock, keep=1)
    (tmp_path / "dp-notes.log").touch()
    for line in ("1234567", "2345678", "3456789"):
        log(line)
        clock.advance(timedelta(seconds=1))
    log.close()
    names = ["dp-2026-01-01T00-00-02.000.log", "dp-notes.log", "dp.log"]
    assert list(files(tmp_path)) == names


def test_the_old_ones_go(tmp_path: Path) -> None:
    clock = ManualClock()
    log = log_in(tmp_path, clock, max_age=timedelta(days=1))
    for line in ("1234567", "2345678", "3456789"):
        log(line)
        clock.advance(timedelta(days=2))
    log.close()
    assert list(files(tmp_path)) == ["dp-2026-01-05T00-00-00.000.log", "dp.log"]
