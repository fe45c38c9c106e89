"""Envoy's admin interface, over its unix socket or a local port.

Source: https://www.envoyproxy.io/docs/envoy/latest/operations/admin
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from kuma.dataplane.http import BadAnswer, Endpoint, Response, Tcp, Unix, exchange

_OWN_LISTENERS = ("listener.admin.", "listener./")


class Connections(NamedTuple):
    """Open now, and opened since Envoy started."""

    active: int
    total: int


class Admin:
    """Methods raise OSError (also for an answer other than 200) if Envoy does not do as told."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    async def ready(self) -> Response:
        return await self._ask("GET", "/ready", seconds=3)

    async def fail_health_checks(self) -> None:
        """Tell callers to go elsewhere: health checks fail, answers close their connection."""
        await self._succeed("POST", "/healthcheck/fail")

    async def drain_listeners(self) -> None:
        """Inbound listeners drain gracefully and stay closed; Envoy goes on running."""
        await self._succeed("POST", "/drain_listeners?inboundonly&graceful&skip_exit")

    async def connections(self) -> Connections:
        """Of all listeners but the admin's own, and those at sockets, where only kuma-dp calls."""
        path = "/stats?format=json&filter=^listener\\..*\\.downstream_cx_(active|total)$"
        sums = {"active": 0, "total": 0}
        for each in json.loads((await self._succeed("GET", path)).body)["stats"]:
            name = each.get("name", "")
            if name and ".worker_" not in name and not name.startswith(_OWN_LISTENERS):
                sums[name.rpartition("_")[2]] += each["value"]
        return Connections(**sums)

    async def has_spans(self) -> bool:
        """Whether it reports what it does, be it now or later."""
        return bool((await self._succeed("GET", "/stats?filter=^tracing\\.")).body.strip())

    async def _succeed(self, method: str, path: str) -> Response:
        answer = await self._ask(method, path)
        if answer.status != 200:
            raise OSError(f"Envoy answered {answer.status} to {path}: {answer.text}")
        return answer

    async def _ask(self, method: str, path: str, *, seconds: float = 10) -> Response:
        try:
            return await exchange(self.endpoint, method, path, seconds=seconds)
        except BadAnswer as error:
            raise OSError(str(error)) from error


def find_admin(bootstrap: Mapping[str, Any]) -> Endpoint | None:
    """Where the bootstrap puts the admin interface; None: nowhere."""
    address = bootstrap.get("admin", {}).get("address", {})
    if pipe := address.get("pipe"):
        return Unix(Path(pipe["path"]))
    if socket := address.get("socketAddress"):
        return Tcp(socket["address"], socket["portValue"])
    return None
