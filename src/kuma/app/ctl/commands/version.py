"""`kumactl version`: of this program, and of the control plane that it speaks to."""

import click

from kuma.app.ctl.errors import Unreachable
from kuma.app.ctl.session import Session
from kuma.kit.go_cli import GoCommand
from kuma.kit.version import PRODUCT, build_info


@click.command(
    "version",
    cls=GoCommand,
    help="Print the versions of kumactl and of the control plane.",
    examples="""
kumactl version
kumactl version --client
kumactl version --detailed
""",
)
@click.option(
    "-a", "--detailed", type=click.BOOL, default=False, metavar="", help="Print all that is known"
)
@click.option(
    "--client", type=click.BOOL, default=False, metavar="", help="Do not ask the control plane"
)
@click.pass_context
def version(context: click.Context, *, detailed: bool, client: bool) -> None:
    info = build_info()
    if detailed:
        rows = {
            "Product": PRODUCT,
            "Version": info["version"],
            "Git Tag": info["gitTag"],
            "Git Commit": info["gitCommit"],
            "Build Date": info["buildDate"],
        }
        for name, text in rows.items():
            click.echo(f"{name + ':':<15}{text}")
    else:
        click.echo(f"Client: {PRODUCT} {info['version']}")
    if client:
        return
    try:
        server = Session(context).client().index()
    except Unreachable as error:
        click.echo(f"Unable to connect to control plane: {error}", err=True)
        return
    if not detailed:
        click.echo(f"Server: {server['product']} {server['version']}")
        return
    import json

    click.echo(f"Server: {json.dumps(server, indent=3, sort_keys=True)}")
