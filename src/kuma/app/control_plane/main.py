"""The program `kuma-cp`: its commands, its exit codes. What a command needs is imported when it runs."""

import asyncio
import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from kuma.config.control_plane import ControlPlaneSettings
    from kuma.config.load import Loaded

SWITCH_INTERVAL = 0.0005
"""Seconds that a thread keeps the interpreter while others want it. Every statement of a transaction
gives it up, so a change that is written while proxies are being served would wait ten times as long
with Python's 5 ms."""

_LEVELS = click.Choice(["debug", "info", "warning", "error", "off"])
_CONFIG = click.option(
    "-c", "--config-file", type=click.Path(path_type=Path), help="settings in YAML"
)


class Failed(click.ClickException):
    """Ends the program with exit code 1 and its message."""


@click.group("kuma-cp", context_settings={"help_option_names": ["-h", "--help"]})
def kuma_cp() -> None:
    """The control plane of the mesh."""


@kuma_cp.command(
    epilog="""
\b
Examples:
  # with the embedded database, in the default work directory
  kuma-cp run

\b
  # with settings from a file and from the environment
  KUMA_STORE_TYPE=postgres KUMA_STORE_POSTGRES_HOST=db kuma-cp run --config-file kuma-cp.yaml
"""
)
@_CONFIG
@click.option("--log-level", type=_LEVELS, help="instead of general.logLevel")
@click.option(
    "--log-format", type=click.Choice(["text", "json"]), help="instead of general.logFormat"
)
def run(config_file: Path | None, log_level: str | None, log_format: str | None) -> None:
    """Run the control plane until SIGTERM or Ctrl-C."""
    import uvloop

    from kuma.app.control_plane.logs import configure_logs

    loaded = _load(config_file)
    general = loaded.settings.general
    configure_logs(level=log_level or general.log_level, output=log_format or general.log_format)
    settings = _told(loaded)

    sys.exit(uvloop.run(_run(settings)))


@kuma_cp.group()
def migrate() -> None:
    """Change the database's schema."""


@migrate.command(
    "up",
    epilog="""
\b
Example:
  # before the first start, and before the first instance of a new version
  KUMA_STORE_TYPE=postgres KUMA_STORE_POSTGRES_HOST=db kuma-cp migrate up
""",
)
@_CONFIG
@click.option("--log-level", type=_LEVELS, default="info")
def migrate_up(config_file: Path | None, log_level: str) -> None:
    """Bring the database to the schema of this version."""
    from kuma.app.control_plane.logs import configure_logs
    from kuma.app.control_plane.stores import postgres_settings
    from kuma.resources.errors import Unavailable
    from kuma.stores.errors import CannotOpen
    from kuma.stores.postgres_schema import migrate as run_migrations

    configure_logs(level=log_level, output="text")
    settings = _told(_load(config_file))
    if settings.store.type != "postgres":
        raise Failed(f"store.type is {settings.store.type}: only postgres has migrations to run")
    try:
        version = asyncio.run(run_migrations(postgres_settings(settings.store.postgres)))
    except (Unavailable, CannotOpen) as error:
        raise Failed(str(error)) from error
    click.echo(f"the database has schema version {version}")


@kuma_cp.command()
@click.option("--detailed", is_flag=True, help="print all of it")
def version(detailed: bool) -> None:
    """Print the version."""
    from kuma.kit.version import PRODUCT, build_info

    info = build_info()
    click.echo(f"{PRODUCT} {info['version']}")
    if detailed:
        for name in ("gitTag", "gitCommit", "buildDate"):
            click.echo(f"{name}: {info[name]}")


def _load(file: Path | None) -> "Loaded[ControlPlaneSettings]":
    from kuma.config.errors import BadConfig
    from kuma.config.load import load_control_plane

    try:
        return load_control_plane(file, os.environ)
    except BadConfig as error:
        raise Failed("\n".join(error.problems)) from error


def _told(loaded: "Loaded[ControlPlaneSettings]") -> "ControlPlaneSettings":
    """The settings, after their warnings went to the log."""
    import structlog

    for warning in loaded.warnings:
        structlog.get_logger("config").warning(warning)
    return loaded.settings


async def _run(settings: "ControlPlaneSettings") -> int:
    from kuma.app.control_plane import garbage

    start_up = ExitStack()
    start_up.enter_context(garbage.deferred())
    sys.setswitchinterval(SWITCH_INTERVAL)

    import structlog

    from kuma.app.control_plane.limits import allow_open_files
    from kuma.app.control_plane.runtime import ControlPlane
    from kuma.config.errors import BadConfig
    from kuma.resources.errors import ResourceError
    from kuma.stores.errors import CannotOpen

    allow_open_files()
    log = structlog.get_logger("kuma-cp")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    control_plane = None
    try:
        control_plane = ControlPlane(settings)
        starting = asyncio.create_task(control_plane.start())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            return 0
        starting.result()
        start_up.close()
        failing = asyncio.create_task(control_plane.failed())
        await asyncio.wait({stopping, failing}, return_when=asyncio.FIRST_COMPLETED)
        return 1 if failing.done() else 0
    except (BadConfig, ResourceError, CannotOpen, OSError) as error:
        log.error("the control plane cannot start", reason=str(error))  # noqa: TRY400 no traceback for people
        return 1
    finally:
        if control_plane is not None:
            await control_plane.stop()


def main() -> None:
    kuma_cp.main(prog_name="kuma-cp")


if __name__ == "__main__":
    main()
