"""`kumactl config`: which control planes there are, and which one is spoken to."""

from collections.abc import Sequence
from typing import Any

import click

from kuma.app.ctl.configuration import (
    NO_ACTIVE,
    ApiServer,
    ControlPlane,
    render_configuration,
)
from kuma.app.ctl.errors import CtlError
from kuma.app.ctl.session import Session
from kuma.kit.go_cli import GoCommand, GoGroup
from kuma.kit.go_flags import parse_pairs

config = GoGroup(
    "config",
    help="Manage the control planes that kumactl knows, in its configuration file.",
    examples="""
kumactl config control-planes add --name prod --address https://mesh.example.com:5682
kumactl config view
""",
)
control_planes = GoGroup(
    "control-planes",
    help="Manage known control planes.",
    examples="""
kumactl config control-planes list
kumactl config control-planes switch --name prod
""",
)
config.add_command(control_planes)


@config.command(
    "view", cls=GoCommand, help="Show the configuration.", examples="kumactl config view"
)
@click.pass_context
def view(context: click.Context) -> None:
    click.echo(render_configuration(Session(context).configuration), nl=False)


@control_planes.command(
    "list",
    cls=GoCommand,
    help="List the control planes.",
    examples="kumactl config control-planes list",
)
@click.pass_context
def list_control_planes(context: click.Context) -> None:
    from kuma.app.ctl.output import render_table

    configuration = Session(context).configuration
    active = configuration.active
    rows = [
        ("*" if active and each.name == active.control_plane else "", each.name, each.api.url)
        for each in configuration.control_planes
    ]
    click.echo(render_table([("ACTIVE", "NAME", "ADDRESS"), *rows]), nl=False)


@control_planes.command(
    "add",
    cls=GoCommand,
    help="Add a control plane and make it active. Files are remembered by their paths.",
    examples="""
kumactl config control-planes add --name local --address http://localhost:5681 --overwrite
kumactl config control-planes add --name prod --address https://mesh.example.com:5682 \\
  --ca-cert-file ca.pem --auth-type tokens --auth-conf token=$(cat admin-token)
""",
)
@click.option("--name", required=True, help="Name of the control plane")
@click.option("--address", required=True, help="URL of its API, such as http://localhost:5681")
@click.option("--overwrite", type=click.BOOL, metavar="", help="Replace one with the same name")
@click.option("--ca-cert-file", default="", help="CA by which its certificate is verified")
@click.option("--client-cert-file", default="", help="Client certificate, for administrators")
@click.option("--client-key-file", default="", help="Key of that certificate")
@click.option(
    "--skip-verify", type=click.BOOL, default=False, metavar="", help="Trust any certificate"
)
@click.option("--headers", multiple=True, help="Headers to add to every request: name=value")
@click.option("--auth-type", default="", help="Authentication: tokens")
@click.option("--auth-conf", multiple=True, help="Its settings: token=...")
@click.option("--skip-check", type=click.BOOL, metavar="", help="Do not try to connect")
@click.pass_context
def add(
    context: click.Context,
    /,
    *,
    name: str,
    overwrite: bool | None,
    skip_check: bool | None,
    **given: Any,
) -> None:
    session = Session(context)
    added = ControlPlane(name, _api_server(**given))
    if not overwrite and session.configuration.find_control_plane(name):
        raise CtlError(
            f'Control Plane with name "{name}" already exists. Use --overwrite to replace an '
            "existing one."
        )
    client = session.client_of(added)
    if not skip_check:
        client.index()
    session.save(session.configuration.with_control_plane(added))
    click.echo(f'added Control Plane "{name}"\nswitched active Control Plane to "{name}"')


def _api_server(
    *,
    address: str,
    ca_cert_file: str,
    client_cert_file: str,
    client_key_file: str,
    skip_verify: bool,
    headers: Sequence[str],
    auth_type: str,
    auth_conf: Sequence[str],
) -> ApiServer:
    if bool(client_cert_file) != bool(client_key_file):
        raise CtlError("both --client-cert-file and --client-key-file need to be given")
    conf = _pairs("--auth-conf", auth_conf)
    if auth_type == "tokens" and not conf.get("token"):
        raise CtlError("--auth-conf is not valid: provide token=YOUR_TOKEN")
    return ApiServer(
        url=address,
        ca_cert_file=ca_cert_file,
        client_cert_file=client_cert_file,
        client_key_file=client_key_file,
        skip_verify=skip_verify,
        headers=tuple(sorted(_pairs("--headers", headers).items())),
        auth_type=auth_type,
        auth_conf=tuple(sorted(conf.items())),
    )


def _pairs(flag: str, values: Sequence[str]) -> dict[str, str]:
    try:
        return parse_pairs(values)
    except ValueError as error:
        raise CtlError(f"{flag}: {error}") from error


@control_planes.command(
    "remove",
    cls=GoCommand,
    help="Remove a control plane.",
    examples="kumactl config control-planes remove --name prod",
)
@click.option("--name", required=True, help="Name of the control plane")
@click.pass_context
def remove(context: click.Context, *, name: str) -> None:
    session = Session(context)
    _check_known(session, name)
    left = session.configuration.without_control_plane(name)
    session.save(left)
    click.echo(f'removed Control Plane "{name}"')
    active = left.active
    if active:
        click.echo(f'switched active Control Plane to "{active.control_plane}"')
    else:
        click.echo(NO_ACTIVE)


@control_planes.command(
    "switch",
    cls=GoCommand,
    help="Make a control plane the active one.",
    examples="kumactl config control-planes switch --name prod",
)
@click.option("--name", required=True, help="Name of the control plane")
@click.pass_context
def switch(context: click.Context, *, name: str) -> None:
    from dataclasses import replace

    session = Session(context)
    found = session.configuration.find_context(name)
    if found is None:
        raise _unknown(session, name)
    session.save(replace(session.configuration, current=found.name))
    click.echo(f'switched active Control Plane to "{name}"')


def _check_known(session: Session, name: str) -> None:
    if session.configuration.find_control_plane(name) is None:
        raise _unknown(session, name)


def _unknown(session: Session, name: str) -> CtlError:
    from kuma.kit.go_cli import did_you_mean

    known = [each.name for each in session.configuration.control_planes]
    return CtlError(f'there is no Control Plane with name "{name}"{did_you_mean(name, known)}')
