"""`kumactl delete`: one resource."""

import click

from kuma.app.ctl.commands.get import missing
from kuma.app.ctl.completing import complete_types
from kuma.app.ctl.errors import CtlError, Refused
from kuma.app.ctl.session import Session
from kuma.kit.go_cli import GoCommand


@click.command(
    "delete",
    cls=GoCommand,
    help="Delete a resource.",
    examples="""
kumactl delete mesh demo
kumactl delete meshtimeout slow -m demo
""",
)
@click.argument("kind", metavar="TYPE", shell_complete=complete_types)
@click.argument("name")
@click.option("-m", "--mesh", help='Mesh to use (default "default")')
@click.pass_context
def delete(context: click.Context, *, kind: str, name: str, mesh: str | None) -> None:
    from kuma.app.ctl.kinds import fetch_kinds

    session = Session(context)
    client = session.client()
    facts = fetch_kinds(client).by_word(kind)
    if facts.is_read_only:
        raise CtlError(f"{facts.name} can only be read, the control plane writes it itself")
    in_mesh = session.mesh(mesh)
    try:
        client.delete(facts.resource_path(in_mesh, name))
    except Refused as error:
        raise missing(error, f'{facts.name} "{name}"', facts.is_mesh_scoped, in_mesh) from error
    click.echo(f'deleted {facts.name} "{name}"')
