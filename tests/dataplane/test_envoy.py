"""Envoy's log in ours, its version, and where it is found. How it lives and dies is in test_run."""

import os
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from kuma.dataplane.binary import EnvoyVersion, find_envoy, parse_version, read_version
from kuma.dataplane.envoy import EnvoyLog, arguments
from kuma.dataplane.errors import EnvoyFailed
from kuma.dataplane.log import Level, Log
from kuma.dataplane.options import EnvoyOptions

BUILD = "9e55/1.40.0/Clean/RELEASE/BoringSSL"


def lines_of(*text: str, level: Level = Level.INFO) -> list[str]:
    lines: list[str] = []
    log = EnvoyLog(Log("envoy", level, write=lines.append))
    for each in text:
        log.line(each)
    return [line.partition(" ")[2] for line in lines]


def head(level: str, component: str = "main") -> str:
    return f"[2026-01-01 10:00:00.000][1][{level}][{component}] [source/server/server.cc:1]"


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("info", "info   "),
        ("warning", "warning"),
        ("error", "error  "),
        ("critical", "error  "),
    ],
)
def test_a_line_keeps_its_level_and_component(theirs: str, ours: str) -> None:
    shown = lines_of(f"{head(theirs, 'upstream')} cds: added 3 cluster(s)")
    assert shown == [f"[{ours}] cds: added 3 cluster(s) [envoy] component=upstream"]


def test_a_line_without_a_head_has_the_level_of_the_one_before() -> None:
    shown = lines_of(f"{head('critical')} cannot bind", "because it is taken")
    assert shown[1] == "[error  ] because it is taken [envoy]"


def test_lists_are_for_debugging() -> None:
    listed = f"{head('info')}   envoy.filters.http: envoy.filters.http.router"
    assert lines_of(listed) == []
    assert len(lines_of(listed, level=Level.DEBUG)) == 1


def test_arguments_are_those_of_kuma() -> None:
    options = EnvoyOptions(
        concurrency=2, log_level="debug", component_log_level="upstream:trace",
        drain_time=timedelta(seconds=90),
    )  # fmt: skip
    assert " ".join(arguments(options, Path("/work/bootstrap.yaml"))) == (
        "--config-path /work/bootstrap.yaml --drain-time-s 90 --drain-strategy immediate "
        "--disable-hot-restart --log-level debug --component-log-level upstream:trace "
        "--concurrency 2"
    )


def test_a_version_is_read_from_the_build() -> None:
    assert parse_version(f"\nenvoy  version: {BUILD}\n") == EnvoyVersion("1.40.0", BUILD)
    assert EnvoyVersion("1.40.0-dev", BUILD).is_compatible
    assert not EnvoyVersion("1.30.2", BUILD).is_compatible


async def test_the_packaged_envoy_is_found_and_tells_its_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    envoy = find_envoy()
    assert envoy.name == "envoy"
    assert (await read_version(envoy)).is_compatible


def test_the_packages_own_script_on_the_path_is_not_gone_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    assert find_envoy().parent.name == "_bin"


def test_an_envoy_on_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = tmp_path / "envoy"
    mine.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert find_envoy() == mine


async def test_what_is_no_envoy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EnvoyFailed, match="this is no Envoy, --version says: hello"):
        await read_version(_script(tmp_path, "#!/bin/sh\necho hello\n"))
    with pytest.raises(EnvoyFailed, match="does not start"):
        await read_version(_script(tmp_path, "neither a script nor a program"))


def _script(folder: Path, text: str) -> Path:
    path = folder / "program"
    path.write_text(text)
    path.chmod(0o755)
    return path
