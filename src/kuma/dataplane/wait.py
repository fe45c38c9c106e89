"""`kuma-dp wait`: asks Envoy until it is ready, as a container's start-up hook does."""

import asyncio
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from kuma.dataplane.errors import DataPlaneError
from kuma.dataplane.http import BadAnswer, Endpoint, Tcp, Unix, exchange
from kuma.dataplane.log import Log
from kuma.kit.durations import format_duration

_LOCAL = {"localhost", "127.0.0.1", "::1"}


def ready_endpoint(url: str, unix_socket: str) -> tuple[Endpoint, str]:
    """Where to ask, and for which path. Only this machine is asked. Raises DataPlaneError."""
    if unix_socket:
        return Unix(Path(unix_socket)), "/ready"
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in _LOCAL:
        raise DataPlaneError(f'--url "{url}" must be http on localhost, 127.0.0.1 or [::1]')
    return Tcp(parts.hostname, parts.port or 80), parts.path or "/"


async def until_ready(
    endpoint: Endpoint,
    path: str,
    *,
    every: timedelta,
    at_most: timedelta,
    each: timedelta,
    log: Log,
) -> int:
    """The exit code: 0. Raises DataPlaneError when the time is over."""
    log.info("waiting for the proxy to be ready", at_most=format_duration(at_most))
    try:
        async with asyncio.timeout(at_most.total_seconds()):
            while reason := await _not_ready(endpoint, path, each):
                log.info("the proxy is not ready", reason=reason)
                await asyncio.sleep(every.total_seconds())
    except TimeoutError as error:
        raise DataPlaneError(
            f"the proxy was not ready within {format_duration(at_most)}"
        ) from error
    log.info("the proxy is ready")
    return 0


async def _not_ready(endpoint: Endpoint, path: str, each: timedelta) -> str:
    """Why; empty: it is ready."""
    try:
        answer = await exchange(endpoint, "GET", path, seconds=each.total_seconds())
    except TimeoutError:
        return "no answer in time"
    except (OSError, BadAnswer) as error:
        return str(error)
    return "" if answer.status == 200 else f"status {answer.status}"
