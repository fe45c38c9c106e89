"""Identities by SPIFFE ID on real traffic: issued, permitted, exchanged and taken away under load.

The tests are in order: the mesh begins without mutual TLS of its own.
"""

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tests.support.load import constant_load
from tests.support.mesh import HOST, Served, a_backend, a_control_plane, until
from tests.support.processes import free_ports
from tests.system.conftest import ALLOW_ALL, MTLS, Mesh
from tests.system.test_certificates import ROOM_FOR_RETRIES, an_authority, on_the_wire

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOMAIN = "default.default.mesh.local"
EXCLUSIVE = {"type": "Mesh", "name": "default", "meshServices": {"mode": "Exclusive"}}


def an_identity(name: str = "identity", **labels: str) -> dict[str, Any]:
    return {
        "type": "MeshIdentity",
        "mesh": "default",
        "name": name,
        "spec": {
            "selector": {"dataplane": {"matchLabels": labels}},
            "provider": {
                "type": "Bundled",
                "bundled": {
                    "insecureAllowSelfSigned": True,
                    "autogenerate": {"enabled": True},
                },
            },
        },
    }


def a_permission(rule: str, spiffe_id: str, kind: str = "Prefix") -> dict[str, Any]:
    match = {"spiffeID": {"type": kind, "value": spiffe_id}}
    return {
        "type": "MeshTrafficPermission",
        "mesh": "default",
        "name": "by-identity",
        "spec": {"rules": [{"default": {rule: [match]}}]},
    }


PERMISSIVE = {
    "type": "MeshTLS",
    "mesh": "default",
    "name": "permissive",
    "spec": {"rules": [{"default": {"mode": "Permissive"}}]},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mesh]:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        cp = await enter(a_control_plane(tmp_path_factory.mktemp("mesh")))
        await cp.put(EXCLUSIVE)
        await cp.put(ROOM_FOR_RETRIES)
        await cp.put(a_permission("allow", f"spiffe://{DOMAIN}/workload"))
        backend = await enter(a_backend("backend"))
        server = await enter(
            cp.sidecar(
                "server",
                inbounds=(Served("api", backend.port), Served("raw", backend.port, "tcp")),
                labels={"kuma.io/workload": "api", "team": "a"},
            )
        )
        ref = {"kind": "MeshService", "name": "api", "port": server.inbound}
        client = await enter(
            cp.sidecar(
                "client",
                outbounds={"api": ref, "raw": "raw"},
                labels={"kuma.io/workload": "web"},
            )
        )
        http = await enter(httpx.AsyncClient(timeout=60))
        made = Mesh(cp, client, backend, backend, {"server": server}, http)
        await until(made.get, lambda answer: answer.status_code == 200)
        yield made


def an_intermediate_authority() -> tuple[list[bytes], bytes]:
    """Its certificate and that of its root, in PEM; its key."""
    root, cert, root_key = an_authority()
    signer = load_pem_private_key(root_key, None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    made = (
        x509.CertificateBuilder(
            root.subject,
            x509.Name.from_rfc4514_string("CN=between"),
            key.public_key(),
            x509.random_serial_number(),
        )
        .not_valid_before(root.not_valid_before_utc)
        .not_valid_after(root.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .sign(signer, hashes.SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return [made.public_bytes(Encoding.PEM), cert], secret


async def read(mesh: Mesh, path: str) -> dict[str, Any]:
    answer = await mesh.cp.rest.get(f"/meshes/default/{path}")
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


def is_by(identity: str, workload: str) -> Callable[[str], bool]:
    """By the MeshIdentity, or by the authority of the mesh."""
    domain = f"{DOMAIN}/workload" if identity else "default"
    return lambda seen: f"spiffe://{domain}/{workload}" in seen


async def client_of(mesh: Mesh) -> str:
    """Who the workload is told that the client is; empty without mutual TLS."""
    answer = await mesh.get()
    if not answer.is_success:
        return str(answer.status_code)
    seen: dict[str, str] = answer.json()["headers"]
    return seen.get("x-forwarded-client-cert", "")


async def uris_on_the_wire(mesh: Mesh) -> list[str]:
    shown = await on_the_wire(mesh.sidecars["server"].inbound)
    if shown is None:
        return []
    names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return names.value.get_values_for_type(x509.UniformResourceIdentifier)


async def test_proxies_get_an_identity_without_a_failed_request(mesh: Mesh) -> None:
    await mesh.cp.put(PERMISSIVE)
    async with constant_load(mesh.client.ports["api"]) as load:
        await mesh.cp.put(an_identity())
        await until(lambda: client_of(mesh), is_by("identity", "web"))
        await load.more(50)

    assert load.failures == []
    assert await uris_on_the_wire(mesh) == [f"spiffe://{DOMAIN}/workload/api"]


async def test_everybody_can_read_what_became_of_it(mesh: Mesh) -> None:
    kri = "kri_mid_default_default__identity_"

    identity = await read(mesh, "meshidentities/identity")
    held = {each["type"]: each["status"] for each in identity["status"]["conditions"]}
    assert held == {"Provider": "True", "MeshTrustCreated": "True", "Ready": "True"}
    trust = await read(mesh, "meshtrusts/identity")
    assert trust["spec"]["trustDomain"] == DOMAIN
    assert trust["status"] == {"origin": {"kri": kri}}
    service = await read(mesh, "meshservices/api")
    assert service["spec"]["identities"] == [
        {"type": "ServiceTag", "value": "api"},
        {"type": "ServiceTag", "value": "raw"},
        {"type": "SpiffeID", "value": f"spiffe://{DOMAIN}/workload/api"},
    ]
    assert service["status"]["tls"] == {"status": "Ready"}
    insight = (await read(mesh, "dataplanes/server/_overview"))["dataplaneInsight"]
    assert insight["mTLS"]["issuedBackend"] == kri
    assert insight["mTLS"]["supportedBackends"] == ["kri_mtrust_default_default__identity_"]


async def test_strict_is_the_default_of_an_identity(mesh: Mesh) -> None:
    inbound = mesh.sidecars["server"].inbound

    async def plaintext() -> bool:
        try:
            async with httpx.AsyncClient() as stranger:
                return (await stranger.get(f"http://{HOST}:{inbound}/")).is_success
        except httpx.TransportError:
            return False

    assert await plaintext()
    await mesh.cp.delete(PERMISSIVE)
    await until(plaintext, lambda works: not works)
    assert (await mesh.get()).is_success


async def test_a_permission_names_spiffe_ids(mesh: Mesh) -> None:
    async def status() -> int:
        return (await mesh.get()).status_code

    web = f"spiffe://{DOMAIN}/workload/web"
    await mesh.cp.put(a_permission("deny", web, "Exact"))
    await until(status, lambda found: found == 403)
    await mesh.cp.put(a_permission("allow", f"spiffe://{DOMAIN}/workload/other", "Exact"))
    await until(status, lambda found: found == 403)
    await mesh.cp.put(a_permission("allow", web, "Exact"))
    await until(status, lambda found: found == 200)
    await mesh.cp.delete(a_permission("allow", web))
    await mesh.cp.put(ALLOW_ALL)  # by tags, which no certificate of an identity has
    await until(status, lambda found: found == 403)
    await mesh.cp.put(a_permission("allow", "spiffe://default"))
    await until(status, lambda found: found == 200)


async def test_no_request_fails_while_the_authority_is_exchanged(mesh: Mesh) -> None:
    """The control plane makes another one when its secrets are gone."""
    before = await on_the_wire(mesh.sidecars["server"].inbound)
    async with constant_load(mesh.client.ports["api"]) as load:
        for part in ("root-ca", "private-key"):
            answer = await mesh.cp.rest.delete(f"/meshes/default/secrets/identity-{part}")
            assert answer.is_success

        async def is_new() -> bool:
            shown = await on_the_wire(mesh.sidecars["server"].inbound)
            assert before is not None
            assert shown is not None
            return shown.extensions.get_extension_for_class(
                x509.AuthorityKeyIdentifier
            ) != before.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)

        await until(is_new, lambda found: found)
        await load.more(50)

    assert load.failures == []
    trust = await read(mesh, "meshtrusts/identity")
    assert len(trust["spec"]["caBundles"]) == 2


async def test_no_request_fails_while_proxies_change_to_another_identity(mesh: Mesh) -> None:
    """One by one: the server's label is named by the second identity, the client's is not."""
    other = an_identity("second", team="a")
    other["spec"]["spiffeID"] = {"trustDomain": "second.local", "path": '/{{ label "team" }}/api'}
    await mesh.cp.put(a_permission("allow", "spiffe://default"))
    async with constant_load(mesh.client.ports["api"]) as load:
        await mesh.cp.put(other)
        await until(
            lambda: uris_on_the_wire(mesh), lambda found: found == ["spiffe://second.local/a/api"]
        )
        await load.more(50)
        await mesh.cp.delete(other)
        await until(
            lambda: uris_on_the_wire(mesh),
            lambda found: found == [f"spiffe://{DOMAIN}/workload/api"],
        )
        await load.more(50)

    assert load.failures == []


async def test_an_authority_may_be_brought(mesh: Mesh) -> None:
    """An intermediate one, with its root; without, nobody would believe it."""
    chain, key = an_intermediate_authority()

    async def put(name: str, data: bytes) -> None:
        text = base64.b64encode(data).decode()
        await mesh.cp.put({"type": "Secret", "mesh": "default", "name": name, "data": text})

    async def message() -> str:
        status = (await read(mesh, "meshidentities/brought")).get("status", {})
        return " ".join(each.get("message", "") for each in status.get("conditions", ()))

    await put("mine", chain[0])
    await put("my-key", key)
    parts = {
        part: {"type": "Secret", "secretRef": {"kind": "Secret", "name": name}}
        for part, name in (("certificate", "mine"), ("privateKey", "my-key"))
    }
    brought = an_identity("brought", team="a")
    brought["spec"]["provider"]["bundled"] = {"ca": parts}
    brought["spec"]["spiffeID"] = {"trustDomain": "brought.local", "path": "/api"}
    await mesh.cp.put(brought)
    await until(message, lambda found: "up to the root" in found)

    await put("mine", b"".join(chain))
    await until(
        lambda: uris_on_the_wire(mesh), lambda found: found == ["spiffe://brought.local/api"]
    )
    assert (await mesh.get()).is_success
    await mesh.cp.delete(brought)


async def test_no_connection_fails_while_an_authority_is_replaced_by_hand(mesh: Mesh) -> None:
    """The new one is trusted, then it signs, then the old one is trusted no more. Over TCP, where each
    connection of the client is one between the sidecars."""
    first, second = (an_authority(identified=True) for _ in range(2))
    for name, (_, certificate, key) in (("first", first), ("second", second)):
        for part, data in (("cert", certificate), ("key", key)):
            text = base64.b64encode(data).decode()
            document = {"type": "Secret", "mesh": "default", "name": f"{name}-{part}", "data": text}
            await mesh.cp.put(document)

    def signed_by(name: str) -> dict[str, Any]:
        parts = {
            part: {"type": "Secret", "secretRef": {"kind": "Secret", "name": f"{name}-{secret}"}}
            for part, secret in (("certificate", "cert"), ("privateKey", "key"))
        }
        made = an_identity("by-hand", **{"kuma.io/env": "universal"})
        made["spec"]["provider"]["bundled"] = {
            "insecureAllowSelfSigned": True, "meshTrustCreation": "Disabled", "ca": parts,
        }  # fmt: skip
        made["spec"]["spiffeID"] = {"trustDomain": "by-hand.local"}
        return made

    def trusting(*authorities: tuple[x509.Certificate, bytes, bytes]) -> dict[str, Any]:
        bundles = [{"type": "Pem", "pem": {"value": each[1].decode()}} for each in authorities]
        spec = {"trustDomain": "by-hand.local", "caBundles": bundles}
        return {"type": "MeshTrust", "mesh": "default", "name": "by-hand", "spec": spec}

    async def signer() -> bytes:
        shown = await on_the_wire(mesh.sidecars["server"].inbounds["raw"])
        assert shown is not None
        key = shown.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
        return key.value.key_identifier or b""

    def is_by_authority(
        authority: tuple[x509.Certificate, bytes, bytes],
    ) -> Callable[[bytes], bool]:
        known = authority[0].extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        return known.value.digest.__eq__

    await mesh.cp.put(a_permission("allow", "spiffe://by-hand.local"))
    await mesh.cp.put(trusting(first))
    await mesh.cp.put(signed_by("first"))
    await until(signer, is_by_authority(first), within=20)
    await until(lambda: client_of(mesh), lambda seen: "URI=spiffe://by-hand.local" in seen)
    async with constant_load(mesh.client.ports["raw"], kept=0, renewed=4) as load:
        await load.more(50)
        await mesh.cp.put(trusting(first, second))
        await mesh.cp.put(signed_by("second"))
        await until(signer, is_by_authority(second), within=20)
        await load.more(50)
        await mesh.cp.put(trusting(second))
        await load.more(200)

    assert load.failures == []
    await mesh.cp.put(a_permission("allow", "spiffe://default"))
    await mesh.cp.delete(signed_by("second"))
    await until(lambda: client_of(mesh), is_by("identity", "web"))
    await mesh.cp.delete(trusting())


async def test_without_an_identity_traffic_is_as_it_was(mesh: Mesh) -> None:
    await mesh.cp.put(PERMISSIVE)
    await mesh.cp.delete(an_identity())

    await until(lambda: client_of(mesh), lambda seen: not seen)
    await until(lambda: on_the_wire(mesh.sidecars["server"].inbound), lambda shown: shown is None)
    answer = await mesh.cp.rest.get("/meshes/default/secrets/identity-root-ca")
    assert answer.status_code == 404

    async def identities() -> list[dict[str, str]]:
        found: list[dict[str, str]] = (await read(mesh, "meshservices/api"))["spec"]["identities"]
        return found

    services = [{"type": "ServiceTag", "value": name} for name in ("api", "raw")]
    await until(identities, lambda found: found == services)


async def test_a_mesh_moves_from_its_own_authority_to_identities(mesh: Mesh) -> None:
    """And leaves its own behind, and no request fails."""
    await mesh.cp.delete({**an_identity(), "type": "MeshTrust"})
    await mesh.cp.delete({**an_identity("second"), "type": "MeshTrust"})
    await mesh.cp.delete(PERMISSIVE)
    await mesh.cp.put({**MTLS, **EXCLUSIVE})
    await until(lambda: client_of(mesh), is_by("", "client"))
    async with constant_load(mesh.client.ports["api"]) as load:
        await mesh.cp.put(an_identity())
        await until(lambda: client_of(mesh), is_by("identity", "web"))
        await load.more(50)
        await mesh.cp.put(EXCLUSIVE)
        await load.more(200)

    assert load.failures == []
    assert await uris_on_the_wire(mesh) == [f"spiffe://{DOMAIN}/workload/api"]


async def test_who_is_known_by_a_label_needs_a_token_for_it(mesh: Mesh) -> None:
    document = (await read(mesh, "dataplanes/client")) | {"name": "impostor"}
    document["networking"] |= {"outbound": [], "admin": {"port": free_ports(1)[0]}}
    document["networking"]["inbound"][0] |= {"port": free_ports(1)[0]}
    token = await mesh.cp.token("impostor")

    async with mesh.cp.kuma_dp(document, token=token) as process:
        await process.line("must be bound to that workload")
