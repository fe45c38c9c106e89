"""One mesh of real processes for each module of traffic tests: a control plane, a client's sidecar,
two versions of an HTTP service, a TCP service. Tests change policies and take them away again.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.support.mesh import Backend, ControlPlane, Sidecar, a_backend, a_control_plane, until


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here runs real processes."""
    for item in items:
        if "/system/" in str(item.path):
            item.add_marker(pytest.mark.system)


@dataclass
class Mesh:
    """`client` is the sidecar whose workload the tests are: it reaches `api` and `db`."""

    cp: ControlPlane
    client: Sidecar
    v1: Backend
    v2: Backend
    sidecars: dict[str, Sidecar]
    http: httpx.AsyncClient

    async def get(self, path: str = "/", **options: object) -> httpx.Response:
        return await self.http.get(self.client.url("api", path), **options)  # type: ignore[arg-type]

    async def version(self, path: str = "/", **options: object) -> str:
        answer = await self.get(path, **options)
        return str(answer.json()["backend"]) if answer.is_success else str(answer.status_code)


MTLS = {
    "type": "Mesh",
    "name": "default",
    "mtls": {"enabledBackend": "ca-1", "backends": [{"name": "ca-1", "type": "builtin"}]},
}
ALLOW_ALL = {
    "type": "MeshTrafficPermission",
    "mesh": "default",
    "name": "allow-all",
    "spec": {
        "targetRef": {"kind": "Mesh"},
        "from": [{"targetRef": {"kind": "Mesh"}, "default": {"action": "Allow"}}],
    },
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mesh]:
    directory: Path = tmp_path_factory.mktemp("mesh")
    async with AsyncExitStack() as stack:
        cp = await stack.enter_async_context(a_control_plane(directory))
        await cp.put(MTLS)
        await cp.put(ALLOW_ALL)
        sidecars: dict[str, Sidecar] = {}
        backends: dict[str, Backend] = {}
        for version in ("v1", "v2"):
            backend = backends[version] = await stack.enter_async_context(a_backend(version))
            sidecars[version] = await stack.enter_async_context(
                cp.sidecar(
                    f"api-{version}",
                    service="api",
                    app_port=backend.port,
                    tags={"version": version},
                )
            )
        client = await stack.enter_async_context(cp.sidecar("client", outbounds={"api": "api"}))
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=60))
        made = Mesh(cp, client, backends["v1"], backends["v2"], sidecars, http)
        await until(made.get, lambda answer: answer.status_code == 200)
        yield made
