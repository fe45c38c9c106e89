"""`kumactl inspect dataplane`: what one proxy is told, whole or in one of its parts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import click

from kuma.app.ctl.commands.get import missing
from kuma.app.ctl.errors import CtlError, Refused
from kuma.app.ctl.output import form_of, print_document, render_table
from kuma.app.ctl.session import Session
from kuma.kit.go_cli import GoCommand
from kuma.kit.go_flags import parse_list

IN_MESH = click.option("-m", "--mesh", help='Mesh to use (default "default")')

_RULES, _CONFIG, _DUMP, _STATS, _CLUSTERS = "policies", "config", "config-dump", "stats", "clusters"
_LAYOUT, _ROUTES = "layout", "routes"


@click.command(
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
@IN_MESH
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
    if form_of(context) != "table":
        print_document(found, form_of(context))
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
        print_document(found, "yaml" if form_of(context) == "yaml" else "json")
    elif form_of(context) != "table":
        print_document(found, form_of(context))
    else:
        _print_rules(found)


def _print_rules(found: dict[str, object]) -> None:
    from kuma.app.ctl.rules_in_force import HEADERS, rule_rows, warnings_of

    click.echo(render_table([HEADERS, *rule_rows(found)]), nl=False)
    for warning in warnings_of(found):
        click.echo(f"Warning: {warning}", err=True)
