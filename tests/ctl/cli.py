"""Runs kumactl in this process, as a shell would see it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from kuma.app.ctl.main import main
from kuma.app.ctl.session import World
from kuma.kit.clock import ManualClock


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def problem(self) -> str:
        """The one sentence of a command that failed."""
        assert (self.code, self.out) == (1, "")
        assert self.err.startswith("Error: ")
        return self.err.removeprefix("Error: ").removesuffix("\n")


@dataclass(frozen=True)
class Shell:
    """`file` is the configuration file. Time stands still."""

    file: Path
    clock: ManualClock

    def run(
        self, *arguments: str, stdin: str = "", environ: Mapping[str, str] | None = None
    ) -> Outcome:
        world = World(environ={"HOME": str(self.file.parent)}, clock=self.clock)
        given = ["--config-file", str(self.file), *arguments]
        code: object = None
        with CliRunner().isolation(input=stdin, env=environ) as (out, err, _):
            try:
                main(given, world)
            except SystemExit as end:
                code = end.code
            assert isinstance(code, int)
            return Outcome(code, _text(out), _text(err))

    def out(self, *arguments: str, stdin: str = "") -> str:
        """What a command prints that succeeds and has nothing to warn of."""
        outcome = self.run(*arguments, stdin=stdin)
        assert (outcome.code, outcome.err) == (0, "")
        return outcome.out


def _text(stream: object) -> str:
    content: bytes = stream.getvalue()  # type: ignore[attr-defined]
    return content.decode()
