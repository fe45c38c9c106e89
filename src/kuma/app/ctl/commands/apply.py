"""`kumactl apply`: create resources, or replace them by what is given."""

from collections.abc import Sequence

import click

from kuma.app.ctl.documents import GivenResource, check_faults, parse_resources, read_sources
from kuma.app.ctl.errors import CtlError, Refused
from kuma.app.ctl.kinds import Kinds, fetch_kinds
from kuma.app.ctl.session import Session
from kuma.kit.go_cli import GoCommand
from kuma.kit.go_flags import parse_pairs


@click.command(
    "apply",
    cls=GoCommand,
    help="Create resources, or replace them. Nothing is applied if anything given is malformed.",
    examples="""
kumactl apply -f resource.yaml
kumactl apply -f resources/
kumactl apply -f https://example.com/resource.yaml
kumactl apply -f mesh.yaml --var name=demo --dry-run
echo "
type: Mesh
name: demo
" | kumactl apply -f -
""",
)
@click.option(
    "-f", "--file", required=True, help="File, directory or URL to apply; - is standard input"
)
@click.option("-v", "--var", multiple=True, help="What {{ name }} stands for: name=value")
@click.option(
    "--dry-run", type=click.BOOL, default=False, metavar="", help="Check and print, do not apply"
)
@click.pass_context
def apply(context: click.Context, *, file: str, var: Sequence[str], dry_run: bool) -> None:
    session = Session(context)
    try:
        variables = parse_pairs(var)
    except ValueError as error:
        raise CtlError(f"--var: {error}") from error
    resources = [
        resource
        for source in read_sources(file, timeout=session.timeout)
        for resource in parse_resources(source, variables)
    ]
    if not resources:
        raise CtlError("no resource(s) passed to apply")
    if dry_run:
        _print(resources)
    else:
        _apply(session, resources)


def _apply(session: Session, resources: Sequence[GivenResource]) -> None:
    client = session.client()
    paths = _paths(fetch_kinds(client), resources)
    if len(resources) > 1:
        _check(resources, all_known=False)
    for resource, path in zip(resources, paths, strict=True):
        try:
            is_new, warnings = client.put(path, resource.document)
        except Refused as error:
            raise CtlError(f"{resource}: {error}") from error
        click.echo(f"{resource} {'Created' if is_new else 'Updated'}")
        for warning in warnings:
            click.echo(f"Warning: {warning}", err=True)


def _paths(kinds: Kinds, resources: Sequence[GivenResource]) -> list[str]:
    paths, faults = [], []
    for resource in resources:
        try:
            kind = kinds.by_type(resource.type)
        except CtlError as error:
            faults.append(f"{resource.place}: {error}")
            continue
        if kind.is_mesh_scoped and not resource.mesh:
            faults.append(f"{resource.place}: mesh: cannot be empty")
        paths.append(kind.resource_path(resource.mesh, resource.name))
    check_faults(faults)
    return paths


def _check(resources: Sequence[GivenResource], *, all_known: bool) -> None:
    """As far as can be without a control plane. Raises CtlError. `all_known` False: what this program does
    not know, the control plane may."""
    from kuma.policies.catalogue import REGISTRY
    from kuma.resources.codec import parse_document
    from kuma.resources.errors import InvalidResource

    faults = []
    for resource in resources:
        if not all_known and resource.type not in REGISTRY:
            continue
        try:
            parse_document(REGISTRY, resource.document)
        except InvalidResource as error:
            faults += [
                f"{resource.place}: {each.field}: {each.message}" for each in error.violations
            ]
    check_faults(faults)


def _print(resources: Sequence[GivenResource]) -> None:
    from kuma.kit.json_yaml import dump_yaml

    _check(resources, all_known=True)
    click.echo("---\n".join(dump_yaml(each.document) for each in resources), nl=False)
