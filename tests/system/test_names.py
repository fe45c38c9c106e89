"""A Dataplane whose address is a name is reached like any other."""

import pytest

from tests.support.mesh import HOST, until
from tests.support.processes import accepts, free_ports
from tests.system.conftest import Mesh

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_dataplane_with_a_name_serves(mesh: Mesh) -> None:
    port, admin, out = free_ports(3)
    tags = {"kuma.io/service": "named", "kuma.io/protocol": "http"}
    document = {
        "type": "Dataplane",
        "mesh": "default",
        "name": "named-1",
        "networking": {
            "address": "localhost",
            "admin": {"port": admin},
            "inbound": [
                {
                    "port": port,
                    "servicePort": mesh.v1.port,
                    "serviceAddress": HOST,
                    "tags": tags,
                }
            ],
            "outbound": [{"port": out, "tags": {"kuma.io/service": "named"}}],
        },
    }
    async with mesh.cp.kuma_dp(document):
        await accepts(out)

        async def served() -> int:
            return (await mesh.http.get(f"http://{HOST}:{out}/")).status_code

        await until(served, lambda status: status == 200)
        shown = await mesh.cp.rest.get("/meshes/default/dataplanes/named-1/_config")
        assert f"inbound:127.0.0.1:{port}" in shown.text
        assert (await mesh.cp.rest.get("/meshes/default/dataplanes/named-1/stats")).is_success
