"""`kumactl get`: resources of a kind, or one of them."""

import click

from kuma.app.ctl.completing import complete_types
from kuma.app.ctl.errors import CtlError, Refused
from kuma.app.ctl.output import output_option, print_document, print_table
from kuma.app.ctl.session import Session
from kuma.kit.go_cli import GoCommand


@click.command(
    "get",
    cls=GoCommand,
    help="Show resources of a kind, or the one that is named.",
    examples="""
kumactl get meshes
kumactl get mesh default -o yaml
kumactl get dataplanes -m demo
kumactl get meshtimeouts --size 10 --offset 20
""",
)
@click.argument("kind", metavar="TYPE", shell_complete=complete_types)
@click.argument("name", required=False)
@click.option("-m", "--mesh", help='Mesh to use (default "default")')
@click.option("--size", type=click.IntRange(0), help="How many to show at most")
@click.option("--offset", help="Where to start, as the page before told")
@output_option
@click.pass_context
def get(
    context: click.Context,
    *,
    kind: str,
    name: str | None,
    mesh: str | None,
    size: int | None,
    offset: str | None,
    output: str,
) -> None:
    from kuma.app.ctl.client import next_offset
    from kuma.app.ctl.columns import columns_of
    from kuma.app.ctl.kinds import fetch_kinds

    session = Session(context)
    client = session.client()
    facts = fetch_kinds(client).by_word(kind)
    in_mesh = session.mesh(mesh)
    try:
        if name is None:
            page = [("size", str(size))] if size else []
            page += [("offset", offset)] if offset else []
            found = client.get(facts.resources_path(in_mesh), page)
        else:
            found = client.get(facts.resource_path(in_mesh, name))
    except Refused as error:
        raise missing(error, f'{facts.name} "{name}"', facts.is_mesh_scoped, in_mesh) from error
    if output != "table":
        print_document(found, output)
        return
    following = next_offset(found) if name is None else ""
    footer = f"Rerun command with --offset={following} argument to retrieve more resources"
    print_table(
        columns_of(facts.name, is_mesh_scoped=facts.is_mesh_scoped),
        [found] if name is not None else found.get("items") or (),
        now=session.clock.now(),
        footer=footer if following else "",
    )


def missing(error: Refused, what: str, is_mesh_scoped: bool, mesh: str) -> CtlError:
    """A better sentence than `Not found`, where that is what happened."""
    if error.problem.status != 404:
        return error
    if is_mesh_scoped and error.problem.title == "Failed to retrieve Mesh":
        return CtlError(f'there is no mesh "{mesh}", see kumactl get meshes')
    return CtlError(f"there is no {what}" + (f' in mesh "{mesh}"' if is_mesh_scoped else ""))
