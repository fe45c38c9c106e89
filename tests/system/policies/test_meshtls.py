"""MeshTLS: on which terms proxies speak mutual TLS."""

import asyncio
import ssl
from typing import Any

import httpx
import pytest

from tests.support.mesh import HOST, until
from tests.system.policies.conftest import SIDECARS, World

pytestmark = pytest.mark.asyncio(loop_scope="package")


def terms(target: dict[str, Any] = SIDECARS, **conf: Any) -> dict[str, Any]:
    return {"targetRef": target, "rules": [{"default": conf}]}


async def plaintext(world: World) -> int:
    """The status past the client's sidecar; 0: refused."""
    try:
        async with httpx.AsyncClient() as client:
            url = f"http://{HOST}:{world.server.inbounds['api']}/"
            return (await client.get(url)).status_code
    except httpx.TransportError:
        return 0


async def takes(world: World, version: ssl.TLSVersion) -> bool:
    """Whether the server speaks this version; a client without a certificate learns no more."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    try:
        _, writer = await asyncio.open_connection(HOST, world.server.inbounds["api"], ssl=context)
    except ssl.SSLError as error:
        return "PROTOCOL_VERSION" not in str(error)
    except ConnectionError:
        return True
    writer.close()
    return True


async def test_one_proxy_takes_plaintext_beside_mutual_tls(world: World) -> None:
    server = {"kind": "MeshSubset", "tags": {"kuma.io/service": "greeter"}}
    api = {"kind": "MeshSubset", "tags": {"kuma.io/service": "api"}}
    assert await plaintext(world) == 0
    async with world.applied("MeshTLS", terms(server, mode="Permissive")):
        async with world.applied("MeshTLS", terms(api, mode="Permissive"), "another"):
            await until(lambda: plaintext(world), lambda status: status == 200)
            seen = (await world.get()).json()["headers"]["x-forwarded-client-cert"]
            assert "spiffe://default/client" in seen
        await until(lambda: plaintext(world), lambda status: status == 0)
    assert (await world.get()).status_code == 200


async def test_versions_hold_in_both_directions(world: World) -> None:
    async def taken() -> tuple[bool, ...]:
        versions = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
        return tuple([await takes(world, version) for version in versions])

    assert await taken() == (True, True)
    async with world.applied("MeshTLS", terms(tlsVersion={"min": "TLS13"})):
        await until(taken, lambda seen: seen == (False, True))
        assert await world.statuses(5) == {200: 5}
    async with world.applied("MeshTLS", terms(tlsVersion={"max": "TLS12"})):
        await until(taken, lambda seen: seen == (True, False))
        assert await world.statuses(5) == {200: 5}
    await until(taken, lambda seen: seen == (True, True))


async def test_ciphers_hold_in_both_directions(world: World) -> None:
    cipher = "ECDHE-ECDSA-CHACHA20-POLY1305"

    async def used() -> list[bool]:
        await world.get()
        name = f".ssl.ciphers.{cipher}"
        return [any((await world.cp.stats(each, name)).values()) for each in ("server", "client")]

    conf = {"tlsVersion": {"max": "TLS12"}, "tlsCiphers": [cipher]}
    async with world.applied("MeshTLS", terms(**conf)):
        await until(used, all)
    await until(world.versions, lambda seen: seen == {"v1", "v2"})
