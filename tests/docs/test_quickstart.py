"""The quickstart's commands, all of them, in order, in one shell: they do what the page says.

A `sh` block is run; the `text` block that follows one or more of them is what they print, in order,
other lines between. Numbers and the width of columns may differ, `...` stands for anything.
"""

import asyncio
import os
import re
import shutil
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import sample

import pytest

from tests.support.processes import free_ports

PAGE = Path(__file__).parents[2] / "docs" / "quickstart-universal.md"
END_OF_STEP = "--- end of step"
PATIENCE = 120.0


@dataclass
class Step:
    """What is run at once, and the lines that it must print."""

    commands: str
    expected: list[str] = field(default_factory=list)


def parse_steps(page: str) -> list[Step]:
    steps: list[Step] = []
    for language, body in re.findall(r"^```(sh|text)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE):
        if language == "sh":
            steps.append(Step(body))
        elif steps:
            steps[-1].expected += [line for line in body.splitlines() if line.strip()]
    return steps


def moved(commands: str, ports: Mapping[str, int]) -> str:
    for name, port in ports.items():
        commands = re.sub(rf"^{name}=\d+", f"{name}={port}", commands, flags=re.MULTILINE)
    return commands


def free_prefix() -> int:
    """Of a hundred ports, `<prefix>00` to `<prefix>99`, below those that are handed out at random."""
    return next(each for each in sample(range(110, 320), k=210) if _are_free(each))


def _are_free(prefix: int) -> bool:
    for port in range(prefix * 100, prefix * 100 + 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def as_pattern(line: str) -> re.Pattern[str]:
    words = r"\s+".join(re.escape(word) for word in line.split())
    return re.compile(re.sub(r"\d+", r"\\d+", words).replace(re.escape("..."), ".*"))


def missing_lines(step: Step, printed: str) -> list[str]:
    """Expected lines that are not there, in their order."""
    lines = iter(printed.splitlines())
    return [
        line
        for line in step.expected
        if not any(as_pattern(line).fullmatch(each.strip()) for each in lines)
    ]


async def run(steps: list[Step], directory: Path) -> list[str]:
    """What each step printed, on both outputs. The shell stops at the first that fails."""
    ended = f"\necho '{END_OF_STEP}'\n"
    script = "set -e\n" + "".join(step.commands + ended for step in steps)
    shell = await asyncio.create_subprocess_exec(
        "bash",
        "-c",
        script,
        cwd=directory,
        env={
            "HOME": str(directory),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        printed, _ = await asyncio.wait_for(shell.communicate(), PATIENCE)
    finally:
        if shell.returncode is None:
            os.killpg(shell.pid, signal.SIGKILL)
    assert list(of_group(shell.pid)) == []
    parts = printed.decode().split(f"{END_OF_STEP}\n")
    assert shell.returncode == 0, f"after {len(parts) - 1} steps:\n{parts[-1]}\n{_logs(directory)}"
    return parts[:-1]


def _logs(directory: Path) -> str:
    files = sorted(directory.glob("*/*.log"))
    return "\n".join(f"--- {file.name}\n{file.read_text()[-2000:]}" for file in files)


def of_group(group: int) -> Iterator[str]:
    """Command lines of processes in the process group."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            number = int(status.read_text().rpartition(")")[2].split()[2])
        except (OSError, IndexError):
            continue
        if number == group:
            yield (status.parent / "cmdline").read_text().replace("\0", " ")


@pytest.mark.system
async def test_quickstart_works_word_for_word(tmp_path: Path) -> None:
    assert shutil.which("curl"), "the quickstart needs curl"
    steps = parse_steps(PAGE.read_text(encoding="utf-8"))
    api, https, dp_server, diagnostics = free_ports(4)
    ports = {"API": api, "HTTPS": https, "DP_SERVER": dp_server, "DIAGNOSTICS": diagnostics}
    steps[0].commands = moved(steps[0].commands, {**ports, "P": free_prefix()})
    printed = await run(steps, tmp_path)
    wrong = {
        step.commands: (absent, output)
        for step, output in zip(steps, printed, strict=True)
        if (absent := missing_lines(step, output))
    }
    assert wrong == {}
    assert list(tmp_path.glob("mesh-quickstart*")) == []


@pytest.mark.parametrize(
    ("line", "printed", "holds"),
    [
        ("default   1s", "default  12s", True),
        ("a ... z", "a b c z", True),
        ("web Online 1/1", "web Offline 0/1", False),
        ('{"count":0} 200', '{"count":3} 200', True),
    ],
)
def test_numbers_and_widths_may_differ(line: str, printed: str, holds: bool) -> None:
    assert (missing_lines(Step("", [line]), printed) == []) is holds


def test_lines_are_expected_in_order() -> None:
    assert missing_lines(Step("", ["b", "a"]), "a\nb") == ["a"]
