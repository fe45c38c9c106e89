"""Mutual TLS of a mesh: who calls is known, plaintext is refused unless the mesh permits it."""

import httpx
import pytest

from tests.support.mesh import HOST, until
from tests.system.conftest import Mesh

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_requests_carry_the_identity_of_the_client(mesh: Mesh) -> None:
    headers = (await mesh.get()).json()["headers"]

    assert "spiffe://default/client" in headers["x-forwarded-client-cert"]


async def test_plaintext_is_refused(mesh: Mesh) -> None:
    with pytest.raises(httpx.TransportError):
        await mesh.http.get(f"http://{HOST}:{mesh.sidecars['v1'].inbound}/")


async def test_permissive_mode_takes_plaintext_and_mutual_tls(mesh: Mesh) -> None:
    permissive = {
        "type": "Mesh",
        "name": "default",
        "mtls": {
            "enabledBackend": "ca-1",
            "backends": [{"name": "ca-1", "type": "builtin", "mode": "PERMISSIVE"}],
        },
    }
    strict = {
        "type": "Mesh",
        "name": "default",
        "mtls": {"enabledBackend": "ca-1", "backends": [{"name": "ca-1", "type": "builtin"}]},
    }
    direct = f"http://{HOST}:{mesh.sidecars['v1'].inbound}/"

    async def plaintext() -> int:
        try:
            async with httpx.AsyncClient() as client:
                return (await client.get(direct)).status_code
        except httpx.TransportError:
            return 0

    await mesh.cp.put(permissive)
    try:
        await until(plaintext, lambda status: status == 200)
        assert "spiffe://default/client" in str((await mesh.get()).json()["headers"])
    finally:
        await mesh.cp.put(strict)
    await until(plaintext, lambda status: status == 0)
    await until(mesh.get, lambda answer: answer.status_code == 200)
