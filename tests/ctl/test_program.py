"""The installed program, as a process; and what every command has."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from kuma.app.ctl.main import kumactl
from kuma.kit.go_cli import GoCommand
from tests.ctl.cli import Shell
from tests.ctl.running_api import RunningApi

PROGRAM = Path(sys.executable).with_name("kumactl")
HEAVY = (
    "pydantic",
    "httpx",
    "rich",
    "structlog",
    "cryptography",
    "yaml",
    "http.client",
    "ssl",
    "asyncio",
)


def run(
    home: Path, *arguments: str, stdin: str = "", **environ: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], "HOME": str(home), **environ},
    )


def test_a_mesh_from_the_shell(api: RunningApi, tmp_path: Path) -> None:
    added = run(tmp_path, "config", "control-planes", "add", "--name", "t", "--address", api.url)
    assert added.stderr == ""
    assert (tmp_path / ".kumactl" / "config").exists()
    applied = run(tmp_path, "apply", "-f", "-", stdin="type: Mesh\nname: m-1\n")
    assert applied.stdout == 'resource type="Mesh" mesh="" name="m-1" Created\n'
    assert "m-1" in run(tmp_path, "get", "meshes").stdout
    refused = run(tmp_path, "get", "mesh", "nope")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == 'Error: there is no Mesh "nope"\n'


def test_a_closed_pipe_is_no_traceback(api: RunningApi, tmp_path: Path) -> None:
    run(tmp_path, "config", "control-planes", "add", "--name", "t", "--address", api.url)
    command = f"{PROGRAM} inspect meshes -o json | true"
    found = subprocess.run(
        command,
        shell=True,
        capture_output=True,
        text=True,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert "Traceback" not in found.stderr


def test_nothing_heavy_is_imported_for_the_version(tmp_path: Path) -> None:
    script = (
        "import sys; from kuma.app.ctl.main import kumactl;"
        "kumactl.main(['version', '--client'], standalone_mode=False);"
        f"print([each for each in {HEAVY} if each in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert found.stdout.splitlines()[1:] == ["[]"]


def test_resources_are_shown_without_the_models(api: RunningApi, tmp_path: Path) -> None:
    script = (
        "import sys; from kuma.app.ctl.main import kumactl;"
        f"kumactl.main(['config', 'control-planes', 'add', '--name=t', '--address={api.url}'],"
        " standalone_mode=False);"
        "kumactl.main(['get', 'meshes'], standalone_mode=False);"
        "print('pydantic' in sys.modules, 'kuma.resources.kinds' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert found.stdout.splitlines()[-1] == "False False"


def _commands(
    command: click.Command, parent: click.Context | None = None, name: str = "kumactl"
) -> Iterator[click.Context]:
    context = command.make_context(name, [], parent=parent, resilient_parsing=True)
    yield context
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            assert found is not None
            yield from _commands(found, context, each)


@pytest.mark.parametrize("context", list(_commands(kumactl)), ids=lambda each: each.command_path)
def test_every_command_has_help_with_examples(context: click.Context) -> None:
    assert isinstance(context.command, GoCommand)
    shown = context.get_help()
    assert context.command_path in shown
    assert "Global Flags:" in shown or context.parent is None
    assert context.command_path in context.command.examples
    for parameter in context.command.params:
        assert isinstance(parameter, click.Argument) or parameter.help or parameter.hidden


def test_help_is_a_command_too(shell: Shell) -> None:
    assert shell.out("inspect", "--help") == shell.out("inspect", "-h")
    assert shell.out("config", "control-planes").startswith("Usage: kumactl config control-planes ")


def test_help_of_a_command_in_words(tmp_path: Path) -> None:
    assert run(tmp_path, "help", "get").stdout == run(tmp_path, "get", "--help").stdout


@pytest.mark.parametrize("shell_name", ["bash", "zsh", "fish"])
def test_completions_are_there_for_every_shell(shell_name: str, shell: Shell) -> None:
    assert "_KUMACTL_COMPLETE" in shell.out("completion", shell_name)


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("kumactl con", {"config"}),
        ("kumactl get meshtim", {"meshtimeout", "meshtimeouts"}),
        ("kumactl inspect dataplane", {"dataplane", "dataplanes"}),
        ("kumactl get meshes --off", {"--offset"}),
        ("kumactl get meshes -o ", {"table", "yaml", "json"}),
    ],
)
def test_a_shell_completes(words: str, completed: set[str], tmp_path: Path) -> None:
    count = str(len(words.split(" ")) - 1)
    asked = {"_KUMACTL_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": count}
    found = run(tmp_path, **asked).stdout.splitlines()
    assert {line.partition(",")[2] for line in found} == completed


def test_the_version_of_both_sides(api: RunningApi, shell: Shell) -> None:
    assert shell.out("version") == "Client: Kuma 2.14.3\nServer: Kuma 2.14.3\n"
    detailed = shell.out("version", "-a")
    assert detailed.splitlines()[1] == "Version:       2.14.3"
    assert '   "hostname": "host-1",' in detailed
    assert "Server" not in shell.out("version", "--detailed", "--client")
    assert shell.out("version", "-a=false") == shell.out("version")
