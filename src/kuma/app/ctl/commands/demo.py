"""`kumactl demo`: a mesh on this machine."""

import click

from kuma.kit.go_cli import GoCommand

_PORT_BASE = 5600


@click.command(
    "demo",
    cls=GoCommand,
    help="Run a control plane and three services with their sidecars on this machine, until Ctrl-C.",
    examples="""
kumactl demo
kumactl demo --port-base 15600
kumactl demo --check
""",
)
@click.option(
    "--check",
    type=click.BOOL,
    default=False,
    metavar="",
    help="Prove the mesh with requests, print how long each change took, and end",
)
@click.option(
    "--port-base",
    type=click.IntRange(1024, 65_400),
    default=_PORT_BASE,
    help="First of the 100 ports that are used (default 5600)",
)
def demo(*, check: bool, port_base: int) -> int:
    from kuma.app.demo.run import run

    return run(port_base=port_base, check_only=check)
