"""`kumactl inspect`: what runs in a mesh, what a proxy is told, and whom a policy concerns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import click

from kuma.app.ctl.commands.get import missing
from kuma.app.ctl.errors import CtlError, Refused
from kuma.app.ctl.output import (
    Columns,
    persistent_output,
    print_document,
    print_table,
    render_table,
)
from kuma.app.ctl.session import Session
from kuma.kit.go_cli import GoCommand, GoGroup, persistent_value
from kuma.kit.go_flags import parse_list, parse_pairs

_MESH = click.option("-m", "--mesh", help='Mesh to use (default "default")')


class _Inspect(GoGroup):
    """Every kind of policy is a command too; which there are, the control plane knows."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or self._policy(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in self.commands and not name.startswith("-") and not args[1:]:
            unknown = f"{self.unknown(ctx, name)} If it is a policy, its NAME is missing."
            raise click.UsageError(unknown, ctx)
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


def _form(context: click.Context) -> str:
    return persistent_value(context, "output") or "table"


def _list(
    context: click.Context,
    columns: Columns,
    path: str,
    *,
    query: Sequence[tuple[str, str]] = (),
    mesh: str = "",
) -> None:
    session = Session(context)
    try:
        found = session.client().pages(path, query)
    except Refused as error:
        raise missing(error, "such list", bool(mesh), mesh) from error
    if _form(context) == "table":
        print_table(columns, found["items"], now=session.clock.now())
    else:
        print_document(found, _form(context))


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
@_MESH
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
@_MESH
@click.pass_context
def services(context: click.Context, *, mesh: str | None) -> None:
    from kuma.app.ctl.client import mesh_path
    from kuma.app.ctl.overviews import SERVICES

    in_mesh = Session(context).mesh(mesh)
    _list(context, SERVICES, mesh_path(in_mesh, "service-insights"), mesh=in_mesh)


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


_RULES, _CONFIG, _DUMP, _STATS, _CLUSTERS = "policies", "config", "config-dump", "stats", "clusters"
_LAYOUT, _ROUTES = "layout", "routes"


@inspect.command(
    "dataplane",
    cls=GoCommand,
    help="Show what a proxy is told: the policies in force, its configuration as the control plane "
    "makes it, or what its Envoy says.",
    examples="""
kumactl inspect dataplane web-1
kumactl inspect dataplane web-1 -o yaml
kumactl inspect dataplane web-1 --type config --shadow --include diff
kumactl inspect dataplane web-1 --type config-dump --include-eds
kumactl inspect dataplane web-1 --type stats
kumactl inspect dataplane web-1 --type layout
kumactl inspect dataplane web-1 --inbound http
kumactl inspect dataplane web-1 --outbound backend:80
kumactl inspect dataplane web-1 --type routes --outbound backend:80
""",
)
@click.argument("name")
@_MESH
@click.option(
    "--type",
    "what",
    type=click.Choice([_RULES, _CONFIG, _DUMP, _STATS, _CLUSTERS, _LAYOUT, _ROUTES]),
    default=_RULES,
    help="What to show (default policies)",
)
@click.option(
    "--shadow", type=click.BOOL, metavar="", help="config: as if shadow policies had effect"
)
@click.option(
    "--include", multiple=True, help="config: diff, what the shadow policies would change"
)
@click.option("--include-eds", type=click.BOOL, metavar="", help="config-dump: with endpoints")
@click.option("--inbound", help="policies: on this inbound alone, by its name, port or KRI")
@click.option("--outbound", help="policies, routes: of this outbound alone, by its name or KRI")
@click.option("--route", help="policies: on this route of the outbound, by the KRI of its policy")
@click.option("--config-dump", type=click.BOOL, metavar="", hidden=True)
@click.pass_context
def dataplane(
    context: click.Context,
    *,
    name: str,
    mesh: str | None,
    what: str,
    shadow: bool | None,
    include: Sequence[str],
    include_eds: bool | None,
    inbound: str | None,
    outbound: str | None,
    route: str | None,
    config_dump: bool | None,
) -> None:
    from kuma.app.ctl.client import mesh_path

    what = _DUMP if config_dump else what
    for flag, needs, given in (
        ("--shadow", _CONFIG, shadow),
        ("--include", _CONFIG, include),
        ("--include-eds", _DUMP, include_eds),
    ):
        if given and what != needs:
            raise CtlError(f"flag '{flag}' can be used only when '--type={needs}'")
    query = [("shadow", "true")] if shadow else []
    query += [("include", ",".join(parse_list(include)))] if include else []
    query += [("include_eds", "true")] if include_eds else []
    in_mesh = Session(context).mesh(mesh)
    of_part = _Part(inbound, outbound, route)
    of_part.check(what)
    try:
        if what in {_LAYOUT, _ROUTES} or of_part != _Part():
            _show_part(context, what, mesh_path(in_mesh, "dataplanes", name), of_part)
        else:
            _show(context, what, mesh_path(in_mesh, "dataplanes", name, _PATHS[what]), query)
    except Refused as error:
        if error.problem.title == "Failed to fetch dataplane insight":
            raise CtlError(
                f'dataplane "{name}" has not connected yet, so there is no configuration'
            ) from error
        if "without meshService enabled" in error.problem.detail:
            needed = "layout, routes and parts need meshServices.mode Exclusive"
            raise CtlError(f'{needed}, which mesh "{in_mesh}" has not') from error
        raise missing(error, f'Dataplane "{name}"', True, in_mesh) from error


@dataclass(frozen=True)
class _Part:
    inbound: str | None = None
    outbound: str | None = None
    route: str | None = None

    def check(self, what: str) -> None:
        for flag, given, needed in (
            ("--inbound", self.inbound, {_RULES}),
            ("--outbound", self.outbound, {_RULES, _ROUTES}),
            ("--route", self.route, {_RULES}),
        ):
            if given and what not in needed:
                wanted = " or ".join(f"'--type={each}'" for each in sorted(needed))
                raise CtlError(f"flag '{flag}' can be used only when {wanted}")
        if self.inbound and self.outbound:
            raise CtlError("flags '--inbound' and '--outbound' exclude each other")
        if not self.outbound and (self.route or what == _ROUTES):
            flag = "flag '--route'" if self.route else "'--type=routes'"
            raise CtlError(f"{flag} needs '--outbound', see --type=layout for those that there are")


def _show_part(context: click.Context, what: str, dataplane: str, of: _Part) -> None:
    from kuma.app.ctl import parts

    client = Session(context).client()
    layout = client.get(f"{dataplane}/_layout")
    if what == _LAYOUT:
        _print(context, layout, [parts.LAYOUT_HEADERS, *parts.layout_rows(layout)])
    elif what == _ROUTES:
        kri = parts.find_part(layout, "outbound", of.outbound or "")
        found = client.get(f"{dataplane}/_outbounds/{kri}/_routes")
        _print(context, found, [parts.ROUTE_HEADERS, *parts.route_rows(found)])
    else:
        found = client.get(f"{dataplane}/{_path_of(layout, of)}/_policies")
        _print(context, found, [parts.POLICY_HEADERS, *parts.policy_rows(found)])


def _path_of(layout: Mapping[str, Any], of: _Part) -> str:
    from kuma.app.ctl.parts import find_part

    if of.inbound:
        return f"_inbounds/{find_part(layout, 'inbound', of.inbound)}"
    path = f"_outbounds/{find_part(layout, 'outbound', of.outbound or '')}"
    return f"{path}/_routes/{quote(of.route, safe='')}" if of.route else path


def _print(context: click.Context, found: object, rows: Sequence[Sequence[str]]) -> None:
    if _form(context) != "table":
        print_document(found, _form(context))
    else:
        click.echo(render_table(rows), nl=False)


_PATHS = {
    _RULES: "_rules",
    _CONFIG: "_config",
    _DUMP: "xds",
    _STATS: "stats",
    _CLUSTERS: "clusters",
}


def _show(context: click.Context, what: str, path: str, query: Sequence[tuple[str, str]]) -> None:
    client = Session(context).client()
    if what in {_DUMP, _STATS, _CLUSTERS}:
        click.echo(client.bytes(path, query).decode(errors="replace"), nl=False)
        return
    found = client.get(path, query)
    if what == _CONFIG:
        print_document(found, "yaml" if _form(context) == "yaml" else "json")
    elif _form(context) != "table":
        print_document(found, _form(context))
    else:
        _print_rules(found)


def _print_rules(found: dict[str, object]) -> None:
    from kuma.app.ctl.rules_in_force import HEADERS, rule_rows, warnings_of

    click.echo(render_table([HEADERS, *rule_rows(found)]), nl=False)
    for warning in warnings_of(found):
        click.echo(f"Warning: {warning}", err=True)


def _policy_command(word: str) -> click.Command:
    @click.command(
        word,
        cls=GoCommand,
        help="Show the dataplanes that a policy selects.",
        examples=f"kumactl inspect {word} NAME",
    )
    @click.argument("name")
    @_MESH
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
    if _form(context) != "table":
        print_document(found, _form(context))
        return
    click.echo("Affected data plane proxies:\n")
    for each in found["items"]:
        click.echo(f"  {each['name']}")
