"""A real Envoy that runs what was rendered, without a control plane.

async with an_envoy(resources) as envoy: await envoy.stat("cluster.backend.upstream_rq_200")
"""

import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from kuma.envoy.snapshot import EnvoyResource
from tests.support.envoy_binary import find_envoy
from tests.support.envoy_static import a_bootstrap, add_static
from tests.support.processes import Process, free_ports, running


class Envoy:
    def __init__(self, process: Process, admin: int) -> None:
        self.process = process
        self._admin = f"http://127.0.0.1:{admin}"

    async def stat(self, name: str) -> int:
        """A counter or gauge; 0 if Envoy has not counted it yet."""
        async with httpx.AsyncClient(base_url=self._admin) as client:
            text = (await client.get("/stats", params={"filter": f"^{name}$"})).text
        return int(text.rsplit(":", 1)[1]) if text.strip() else 0


@asynccontextmanager
async def an_envoy(resources: Iterable[EnvoyResource]) -> AsyncIterator[Envoy]:
    """Serving, once entered. Everything that the resources name must be among them."""
    (admin,) = free_ports(1)
    bootstrap = a_bootstrap()
    bootstrap.ClearField("dynamic_resources")
    bootstrap.admin.address.socket_address.address = "127.0.0.1"
    bootstrap.admin.address.socket_address.port_value = admin
    add_static(bootstrap, resources)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "bootstrap.pb"
        path.write_bytes(bootstrap.SerializeToString())
        flags = ("--disable-hot-restart", "--concurrency", "1")
        async with running("envoy", find_envoy(), "-c", path, *flags) as process:
            await process.line("starting main dispatch loop")
            yield Envoy(process, admin)
