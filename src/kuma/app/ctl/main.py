"""The program `kumactl`: its commands, its global flags, its exit codes.

Every command is imported when it is called. A command ends with 0, or with 1 and one sentence on
standard error that says what the user can do about it.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from kuma.app.ctl.errors import CtlError
from kuma.kit.go_cli import GoGroup, PersistentOption, persistent_value
from kuma.kit.go_flags import DURATION

if TYPE_CHECKING:
    from kuma.app.ctl.session import World

_COMMANDS = "kuma.app.ctl.commands"
_NOT_HERE = ("install", "uninstall", "export")


class _Root(GoGroup):
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] in _NOT_HERE:
            raise CtlError(f"this version of kumactl does not have the command {args[0]}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """What nobody foresaw is a sentence too; a traceback only for those who ask for one."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, CtlError, OSError):
            raise
        except Exception as error:
            if persistent_value(ctx, "log_level") == "debug":
                raise
            raise CtlError(
                f"kumactl has a defect, or the control plane gave an answer that it should not: "
                f"{type(error).__name__}: {error}; --log-level debug shows where"
            ) from error


kumactl = _Root(
    "kumactl",
    help="Management tool for Kuma.",
    lazy={
        name: f"{_COMMANDS}.{name}:{name}"
        for name in (
            "apply",
            "completion",
            "config",
            "delete",
            "demo",
            "generate",
            "get",
            "inspect",
            "version",
        )
    },
    params=[
        PersistentOption("--config-file", help="Configuration file (default ~/.kumactl/config)"),
        PersistentOption("--context", help="Which control plane to use, instead of the active one"),
        PersistentOption(
            "--log-level",
            type=click.Choice(["off", "info", "debug"]),
            help="debug tells every request (default off)",
        ),
        PersistentOption(
            "--no-config", type=click.BOOL, metavar="", help="Do not read or write a configuration"
        ),
        PersistentOption(
            "--api-timeout",
            type=DURATION,
            help="How long a request may take in all; 0: for ever (default 1m0s)",
        ),
    ],
    examples="""
kumactl config control-planes add --name prod --address https://mesh.example.com:5682
kumactl apply -f mesh.yaml
kumactl get dataplanes
kumactl inspect dataplanes
kumactl demo
""",
)


def main(arguments: Sequence[str] | None = None, world: "World | None" = None) -> None:
    """Ends the process."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["help"]:
        given = [*given[1:], "--help"]
    try:
        code = kumactl.main(given, prog_name="kumactl", standalone_mode=False, obj=world)
    except click.UsageError as error:
        _tell(error.format_message())
        if error.ctx is not None:
            click.echo(f"Run '{error.ctx.command_path} --help' for usage.", err=True)
        sys.exit(1)
    except click.ClickException as error:
        _tell(error.format_message())
        sys.exit(1)
    except CtlError as error:
        _tell(str(error))
        sys.exit(1)
    except OSError as error:
        _tell(str(error))
        sys.exit(1)
    except click.Abort:
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _tell(problem: str) -> None:
    click.echo(f"Error: {problem}", err=True)


if __name__ == "__main__":
    main()
