"""Tells the control plane that this proxy is about to end, if it came with its Dataplane.

So other proxies stop sending requests here before Envoy stops taking them. A control plane that
cannot be told (it is away, or it is Kuma's) learns it when Envoy is gone.
"""

from collections.abc import Callable

from kuma.dataplane.bootstrap_client import BootstrapClient
from kuma.dataplane.errors import DataPlaneError
from kuma.dataplane.http import BadAnswer
from kuma.dataplane.log import Log


class Farewell:
    """`token` gives the one that is in force."""

    def __init__(
        self, client: BootstrapClient, log: Log, *, mesh: str, name: str, token: Callable[[], str]
    ) -> None:
        self._client = client
        self._log = log
        self._mesh = mesh
        self._name = name
        self._token = token

    async def say(self, *, seconds: float) -> None:
        """A control plane that is busy has `seconds` to take note."""
        mesh, name, token = self._mesh, self._name, self._token()
        try:
            await self._client.leave(mesh=mesh, name=name, token=token, seconds=seconds)
        except (DataPlaneError, BadAnswer, OSError) as error:
            self._log.info("the control plane was not told of the end", reason=str(error))
