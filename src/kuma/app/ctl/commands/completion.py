"""`kumactl completion`: what a shell needs to complete commands, flags and kinds of resources."""

import click

from kuma.kit.go_cli import GoCommand, GoGroup

_VARIABLE = "_KUMACTL_COMPLETE"
"""Through it the shell asks; click reads it."""

completion = GoGroup(
    "completion",
    help="Print completions for a shell.",
    examples="""
source <(kumactl completion bash)
kumactl completion zsh > "${fpath[1]}/_kumactl"
kumactl completion fish > ~/.config/fish/completions/kumactl.fish
""",
)


def _command(shell: str) -> GoCommand:
    def show() -> None:
        from click.shell_completion import get_completion_class

        found = get_completion_class(shell)
        root = click.get_current_context().find_root().command
        if found is not None:
            click.echo(found(root, {}, "kumactl", _VARIABLE).source())

    return GoCommand(
        shell,
        callback=show,
        help=f"Print completions for {shell}.",
        examples=f"kumactl completion {shell}",
    )


for _shell in ("bash", "zsh", "fish"):
    completion.add_command(_command(_shell))
