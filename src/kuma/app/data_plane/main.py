"""The program `kuma-dp`: its commands, its flags, its exit codes.

What a command needs is imported when it runs, so that each starts as fast as it can.
"""

import os
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import click

from kuma.app.data_plane.flags import (
    FLAGS,
    Values,
    click_options,
    unknown_variables,
)
from kuma.app.data_plane.log_options import log_of, log_options
from kuma.dataplane.errors import DataPlaneError
from kuma.kit.go_flags import DURATION, with_boolean_values

_BOOLEANS = (*(flag.name for flag in FLAGS if flag.is_boolean), "detailed")


def main(arguments: Sequence[str] | None = None) -> None:
    """Ends the process: 0, 1 for what the user can mend, or Envoy's own exit code."""
    given = with_boolean_values(sys.argv[1:] if arguments is None else arguments, _BOOLEANS)
    try:
        code = kuma_dp.main(given, prog_name="kuma-dp", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(1)
    except click.Abort:
        sys.exit(1)
    except DataPlaneError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)
    sys.exit(code or 0)


@click.group(
    "kuma-dp",
    help="Runs Envoy beside a service of the mesh.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
@log_options
def kuma_dp() -> None:
    pass


_RUN_EPILOG = """
\b
Examples:
  # a service on this machine, its definition in a file
  kuma-dp run --cp-address=https://localhost:5678 --ca-cert-file=ca.pem \\
    --dataplane-file=redis.yaml --dataplane-token-file=redis.token

\b
  # the same from a template
  kuma-dp run --dataplane-file=template.yaml -v name=redis -v port=6379 \\
    --dataplane-token-file=redis.token

\b
  # a Dataplane that was created with kumactl before
  kuma-dp run --mesh=default --name=redis --dataplane-token-file=redis.token
"""


@kuma_dp.command("run", epilog=_RUN_EPILOG, help="Launch Envoy for a Dataplane.")
@log_options
@click.pass_context
def _run(context: click.Context, /, **given: Any) -> int:
    import asyncio

    from kuma.app.data_plane.run_options import build_options
    from kuma.dataplane.supervisor import Supervisor
    from kuma.kit.version import build_info

    log = log_of(context)
    values = Values(given, os.environ)
    for warning in unknown_variables(os.environ):
        log.warning(warning)
    try:
        options = build_options(values, os.environ, log=log)
        return asyncio.run(Supervisor(options, version=build_info(), log=log).run())
    except DataPlaneError as error:
        log.error(str(error))  # noqa: TRY400  # what the user did is no place for a traceback
        return error.exit_code


_run.params.extend(click_options())


@kuma_dp.command("version", help="Print the version.")
@click.option("--detailed", type=click.BOOL, default=False, metavar="", help="Print all of it")
def _version(*, detailed: bool) -> None:
    from kuma.kit.version import PRODUCT, build_info

    info = build_info()
    if not detailed:
        click.echo(f"{PRODUCT}: {info['version']}")
        return
    rows = {
        "Product": PRODUCT,
        "Version": info["version"],
        "Git Tag": info["gitTag"],
        "Git Commit": info["gitCommit"],
        "Build Date": info["buildDate"],
    }
    for name, value in rows.items():
        click.echo(f"{name + ':':<15}{value}")


_WAIT_EPILOG = """
\b
Example:
  # an application that must not start before its proxy
  kuma-dp wait --url=http://localhost:9901/ready --timeout=1m && exec redis-server
"""


@kuma_dp.command("wait", epilog=_WAIT_EPILOG, help="Wait until the proxy is ready.")
@click.option("--url", default="http://localhost:9901/ready", help="Where Envoy's admin tells it")
@click.option("--unix-socket", default="", help="Envoy's admin socket, instead of --url")
@click.option("--timeout", type=DURATION, default=timedelta(seconds=180), help="(default 3m0s)")
@click.option("--check-frequency", type=DURATION, default=timedelta(seconds=1), help="(default 1s)")
@click.option(
    "--request-timeout", type=DURATION, default=timedelta(milliseconds=500), help="(default 500ms)"
)
@log_options
@click.pass_context
def _wait(  # noqa: PLR0917  # click passes all by name
    context: click.Context,
    url: str,
    unix_socket: str,
    timeout: timedelta,
    check_frequency: timedelta,
    request_timeout: timedelta,
) -> int:
    import asyncio

    from kuma.dataplane.wait import ready_endpoint, until_ready

    log = log_of(context)
    endpoint, path = ready_endpoint(url, unix_socket)
    waiting = until_ready(
        endpoint, path, every=check_frequency, at_most=timeout, each=request_timeout, log=log
    )
    return asyncio.run(waiting)


if __name__ == "__main__":
    main()
