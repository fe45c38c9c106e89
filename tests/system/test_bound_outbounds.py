"""Without redirection, a proxy may listen at virtual addresses that are the machine's own."""

import httpx
import pytest

from tests.support.mesh import a_backend, a_control_plane, until
from tests.support.processes import free_ports

pytestmark = pytest.mark.asyncio

RANGES = {
    "KUMA_IPAM_MESH_SERVICE_CIDR": "127.241.0.0/16",
    "KUMA_IPAM_MESH_EXTERNAL_SERVICE_CIDR": "127.242.0.0/16",
    "KUMA_IPAM_MESH_MULTI_ZONE_SERVICE_CIDR": "127.243.0.0/16",
    "KUMA_DNS_SERVER_CIDR": "127.240.0.0/16",
}
MESH = {"type": "Mesh", "name": "default", "meshServices": {"mode": "Everywhere"}}


async def test_services_answer_at_bound_virtual_addresses(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    directory = tmp_path_factory.mktemp("bound")
    [vip_port] = free_ports(1)
    env = {**RANGES, "KUMA_DNS_SERVER_SERVICE_VIP_PORT": str(vip_port)}
    async with a_control_plane(directory, env=env) as cp, a_backend("api") as api:
        await cp.put(MESH)
        async with (
            cp.sidecar("api", app_port=api.port) as sidecar,
            cp.sidecar("web", "--bind-outbounds=true"),
            httpx.AsyncClient(timeout=60) as http,
        ):
            found = (await cp.rest.get("/meshes/default/meshservices/api")).json()
            vip = found["status"]["vips"][0]["ip"]
            assert vip.startswith("127.241.")
            for url in (f"http://127.240.0.0:{vip_port}/", f"http://{vip}:{sidecar.inbound}/"):

                async def ask(url: str = url) -> str:
                    try:
                        return str((await http.get(url)).status_code)
                    except httpx.HTTPError as error:
                        return type(error).__name__

                await until(ask, lambda found: found == "200")
        assert len(api.requests) == 2
