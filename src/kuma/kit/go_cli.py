"""Commands as users of Go programs know them, for click.

Flags in Go's style (see `go_flags`); flags of a group that may stand before or after the names of
its commands; an unknown command is answered with the nearest one; commands are loaded when they
are called, so that a program with many starts as fast as one with few.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import click

from kuma.kit.go_flags import as_click_takes_them


class PersistentOption(click.Option):
    """Of a group and all commands in it. The value is found with `persistent_value`; the one that
    stands last counts."""

    def __init__(self, *names: Any, **settings: Any) -> None:
        super().__init__(names, expose_value=False, callback=_remember, **settings)


def _remember(context: click.Context, option: click.Parameter, value: Any) -> None:
    if value is not None:
        context.meta[_key(str(option.name))] = value


def persistent_value(context: click.Context, name: str) -> Any:
    """None: it was not given."""
    return context.meta.get(_key(name))


def _key(name: str) -> str:
    return f"{__name__}.{name}"


class GoCommand(click.Command):
    """`examples` are shown below the help, as they are."""

    def __init__(self, *args: Any, examples: str = "", **settings: Any) -> None:
        super().__init__(*args, **{"context_settings": _CONTEXT, **settings})
        self.examples = examples

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        own = super().get_params(ctx)
        names = {each.name for each in own}
        return [*own, *(each for each in _inherited(ctx) if each.name not in names)]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        options = [each for each in self.get_params(ctx) if isinstance(each, click.Option)]
        interspersed = ctx.allow_interspersed_args
        return super().parse_args(
            ctx, as_click_takes_them(args, options, interspersed=interspersed)
        )

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        inherited = {each.name for each in _inherited(ctx)}
        own: list[tuple[str, str]] = []
        of_groups: list[tuple[str, str]] = []
        for each in self.get_params(ctx):
            record = each.get_help_record(ctx) if isinstance(each, click.Option) else None
            if record is not None:
                (of_groups if each.name in inherited else own).append(record)
        for title, records in (("Flags", own), ("Global Flags", of_groups)):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples.strip("\n").splitlines():
                    formatter.write(f"  {line}".rstrip() + "\n")


_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def _inherited(context: click.Context) -> list[click.Parameter]:
    found: list[click.Parameter] = []
    parent = context.parent
    while parent is not None:
        found.extend(each for each in parent.command.params if isinstance(each, PersistentOption))
        parent = parent.parent
    return found


class GoGroup(GoCommand, click.Group):
    """`lazy` names the commands and where each is: `module:attribute`."""

    def __init__(self, *args: Any, lazy: Mapping[str, str] | None = None, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._lazy = dict(lazy or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *self._lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._lazy:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self._lazy[cmd_name].partition(":")
        found: click.Command = getattr(import_module(module), attribute)
        return found

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), color=ctx.color)
            ctx.exit()
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise click.UsageError(self.unknown(ctx, args[0]), ctx)
        return super().resolve_command(ctx, args)

    def unknown(self, context: click.Context, name: str) -> str:
        """The message about an unknown command."""
        hint = did_you_mean(name, self.list_commands(context))
        return f'unknown command "{name}" for "{context.command_path}"{hint}'

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_commands(ctx, formatter)
        super().format_options(ctx, formatter)


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """What to add to a message about an unknown name; nothing if none is near."""
    from difflib import get_close_matches

    close = get_close_matches(name, known, n=1)
    return f', did you mean "{close[0]}"?' if close else ""
