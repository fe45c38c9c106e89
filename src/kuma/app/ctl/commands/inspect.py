"""`kumactl inspect`: what runs in a mesh, what a proxy is told, and whom a policy concerns."""

from collections.abc import Sequence

import click

from kuma.app.ctl.commands.get import missing
from kuma.app.ctl.commands.inspect_dataplane import IN_MESH, dataplane
from kuma.app.ctl.errors import CtlError, Refused
from kuma.app.ctl.output import (
    Columns,
    form_of,
    persistent_output,
    print_document,
    print_table,
)
from kuma.app.ctl.session import Session
from kuma.kit.go_cli import GoCommand, GoGroup
from kuma.kit.go_flags import parse_pairs


class _Inspect(GoGroup):
    """Every kind of policy is a command too; which there are, the control plane knows."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or self._policy(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in self.commands and not name.startswith("-") and not args[1:]:
            unknown = self.unknown(ctx, name)
            end = "" if unknown.endswith("?") else "."
            raise click.UsageError(f"{unknown}{end} If it is a policy, its NAME is missing.", ctx)
        return super().resolve_command(ctx, args)

    @staticmethod
    def _policy(word: str) -> click.Command | None:
        return None if word.startswith("-") else _policy_command(word)


inspect = _Inspect(
    "inspect",
    help="Inspect what runs in a mesh. For a policy, as in `inspect meshtimeout NAME`, the "
    "dataplanes that it selects.",
    params=[persistent_output()],
    examples="""
kumactl inspect dataplanes
kumactl inspect dataplanes --tag kuma.io/service=web -o json
kumactl inspect dataplane web-1
kumactl inspect dataplane web-1 --type config --shadow --include diff
kumactl inspect services -m demo
kumactl inspect meshtrafficpermission allow-web
""",
)


def _list(
    context: click.Context,
    columns: Columns,
    path: str,
    *,
    query: Sequence[tuple[str, str]] = (),
    mesh: str = "",
    shown_as: str = "",
) -> None:
    """`shown_as`: the type that items have, where it is not theirs."""
    session = Session(context)
    try:
        found = session.client().pages(path, query)
    except Refused as error:
        raise missing(error, "such list", bool(mesh), mesh) from error
    if form_of(context) == "table":
        print_table(columns, found["items"], now=session.clock.now())
        return
    for each in found["items"] if shown_as else ():
        each["type"] = shown_as
    print_document(found, form_of(context))


@inspect.command(
    "dataplanes",
    cls=GoCommand,
    help="Show the proxies of a mesh: whether they are online, what they were sent and refused.",
    examples="""
kumactl inspect dataplanes
kumactl inspect dataplanes -m demo --tag kuma.io/service=web --tag version=v1
kumactl inspect dataplanes --gateway
""",
)
@IN_MESH
@click.option("--tag", multiple=True, help="Only with this tag: name=value")
@click.option("--gateway", type=click.BOOL, metavar="", help="Only gateways")
@click.option("--ingress", type=click.BOOL, metavar="", help="Only ingresses")
@click.pass_context
def dataplanes(
    context: click.Context,
    *,
    mesh: str | None,
    tag: Sequence[str],
    gateway: bool | None,
    ingress: bool | None,
) -> None:
    from kuma.app.ctl.client import mesh_path
    from kuma.app.ctl.overviews import DATAPLANES

    in_mesh = Session(context).mesh(mesh)
    try:
        query = [("tag", f"{name}:{text}") for name, text in parse_pairs(tag).items()]
    except ValueError as error:
        raise CtlError(f"--tag: {error}") from error
    query += [("gateway", "true")] if gateway else []
    query += [("ingress", "true")] if ingress else []
    path = mesh_path(in_mesh, "dataplanes", "_overview")
    _list(context, DATAPLANES, path, query=query, mesh=in_mesh)


@inspect.command(
    "services",
    cls=GoCommand,
    help="Show the services of a mesh, and how many of their proxies are online.",
    examples="kumactl inspect services -m demo",
)
@IN_MESH
@click.pass_context
def services(context: click.Context, *, mesh: str | None) -> None:
    from kuma.app.ctl.client import mesh_path
    from kuma.app.ctl.overviews import SERVICES

    in_mesh = Session(context).mesh(mesh)
    path = mesh_path(in_mesh, "service-insights")
    _list(context, SERVICES, path, mesh=in_mesh, shown_as="ServiceOverview")


@inspect.command(
    "meshes",
    cls=GoCommand,
    help="Show the meshes: proxies online, services, policies.",
    examples="kumactl inspect meshes",
)
@click.pass_context
def meshes(context: click.Context) -> None:
    from kuma.app.ctl.overviews import MESHES

    _list(context, MESHES, "/mesh-insights")


@inspect.command(
    "zones",
    cls=GoCommand,
    help="Show the zones, and whether they are connected.",
    examples="kumactl inspect zones",
)
@click.pass_context
def zones(context: click.Context) -> None:
    from kuma.app.ctl.overviews import ZONES

    _list(context, ZONES, "/zones/_overview")


inspect.add_command(dataplane)


def _policy_command(word: str) -> click.Command:
    @click.command(
        word,
        cls=GoCommand,
        help="Show the dataplanes that a policy selects.",
        examples=f"kumactl inspect {word} NAME",
    )
    @click.argument("name")
    @IN_MESH
    @click.option("--offset", hidden=True)
    @click.option("--new-api", type=click.BOOL, metavar="", hidden=True)
    @click.pass_context
    def show(
        context: click.Context,
        *,
        name: str,
        mesh: str | None,
        offset: str | None,
        new_api: bool | None,
    ) -> None:
        _selected(context, word, name, mesh)

    found: click.Command = show
    return found


def _selected(context: click.Context, word: str, name: str, mesh: str | None) -> None:
    from kuma.app.ctl.kinds import fetch_kinds

    session = Session(context)
    client = session.client()
    kind = fetch_kinds(client).by_word(word)
    if not kind.is_policy:
        raise CtlError(f"{kind.name} is not a policy that selects dataplanes by targetRef")
    in_mesh = session.mesh(mesh)
    try:
        found = client.pages(f"{kind.resource_path(in_mesh, name)}/_resources/dataplanes")
    except Refused as error:
        raise missing(error, f'{kind.name} "{name}"', True, in_mesh) from error
    if form_of(context) != "table":
        print_document(found, form_of(context))
        return
    click.echo("Affected data plane proxies:\n")
    for each in found["items"]:
        click.echo(f"  {each['name']}")
