"""Certificates of proxies: what is on the wire, renewed under load, and a change of authority.

The tests are in order: the mesh starts with a builtin authority whose certificates live for seconds
and ends with one that is provided.
"""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.load import constant_load
from tests.support.mesh import HOST, ControlPlane, Served, a_backend, a_control_plane, until
from tests.system.conftest import ALLOW_ALL, Mesh

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIFETIME = timedelta(seconds=5)
SHORT_LIVED = {
    "name": "ca-1",
    "type": "builtin",
    "dpCert": {"rotation": {"expiration": f"{LIFETIME.seconds}s"}},
}


ROOM_FOR_RETRIES = {
    "type": "MeshCircuitBreaker",
    "mesh": "default",
    "name": "a-room-for-retries",
    "spec": {
        "targetRef": {"kind": "Mesh"},
        "to": [
            {
                "targetRef": {"kind": "Mesh"},
                "default": {"connectionLimits": {"maxRetries": 100}},
            }
        ],
    },
}
"""The default lets three requests be retried at a time."""


def mesh_with(*backends: dict[str, Any], enabled: str = "", **mode: str) -> dict[str, Any]:
    made = [{**each, **mode} for each in backends]
    return {
        "type": "Mesh",
        "name": "default",
        "mtls": {"enabledBackend": enabled, "backends": made},
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mesh]:
    """The server's workload is reached over HTTP as `api`, and over TCP as `raw`: there, each
    connection of a client is one between the sidecars."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        cp = await enter(a_control_plane(tmp_path_factory.mktemp("mesh")))
        await cp.put(mesh_with(SHORT_LIVED, enabled="ca-1"))
        await cp.put(ALLOW_ALL)
        backend = await enter(a_backend("backend"))
        server = await enter(
            cp.sidecar(
                "server",
                inbounds=(Served("api", backend.port), Served("raw", backend.port, "tcp")),
            )
        )
        client = await enter(cp.sidecar("client", outbounds={"api": "api", "raw": "raw"}))
        http = await enter(httpx.AsyncClient(timeout=60))
        made = Mesh(cp, client, backend, backend, {"server": server}, http)
        await until(made.get, lambda answer: answer.status_code == 200)
        yield made


async def on_the_wire(port: int) -> x509.Certificate | None:
    """What the sidecar at `port` shows to a stranger; None if it does not speak TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["kuma"])
    try:
        _, writer = await asyncio.open_connection(HOST, port, ssl=context)
    except OSError:
        return None
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    with suppress(OSError):  # it asks for a certificate that the stranger has not
        await writer.wait_closed()
    return x509.load_der_x509_certificate(shown)


async def certificates(cp: ControlPlane) -> dict[str, int]:
    """How often each proxy has got one."""
    answer = await cp.rest.get("/meshes/default/dataplanes/_overview")
    return {
        each["name"]: each["dataplaneInsight"].get("mTLS", {}).get("certificateRegenerations", 0)
        for each in answer.json()["items"]
    }


def all_at_least(count: int) -> Callable[[dict[str, int]], bool]:
    return lambda found: min(found.values()) >= count


async def test_the_certificate_on_the_wire_names_service_and_tags(mesh: Mesh) -> None:
    shown = await on_the_wire(mesh.sidecars["server"].inbound)

    assert shown is not None
    names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.critical
    assert names.value.get_values_for_type(x509.UniformResourceIdentifier) == [
        "spiffe://default/api",
        "spiffe://default/raw",
        "kuma://kuma.io/protocol/http",
        "kuma://kuma.io/protocol/tcp",
        "kuma://kuma.io/service/api",
        "kuma://kuma.io/service/raw",
        "kuma://kuma.io/zone/default",
    ]
    assert shown.not_valid_after_utc - datetime.now(UTC) <= LIFETIME
    root = await mesh.cp.rest.get("/meshes/default/secrets/default.ca-builtin-cert-ca-1")
    pem = base64.b64decode(root.json()["data"])
    shown.verify_directly_issued_by(x509.load_pem_x509_certificate(pem))


async def test_no_request_fails_while_certificates_are_renewed(mesh: Mesh) -> None:
    first = await on_the_wire(mesh.sidecars["server"].inbound)
    before = max((await certificates(mesh.cp)).values())
    async with (
        constant_load(mesh.client.ports["api"]) as over_http,
        constant_load(mesh.client.ports["raw"]) as over_tcp,
    ):
        await until(lambda: certificates(mesh.cp), all_at_least(before + 2))
        await over_tcp.more(50)

    last = await on_the_wire(mesh.sidecars["server"].inbound)
    assert first is not None
    assert last is not None
    assert last.not_valid_before_utc > first.not_valid_before_utc
    assert over_http.failures == []
    assert over_tcp.failures == []


async def test_an_authority_in_force_is_not_exchanged_for_another(mesh: Mesh) -> None:
    document = mesh_with({"name": "ca-2", "type": "builtin"}, enabled="ca-2")
    answer = await mesh.cp.rest.put("/meshes/default", json=document)

    assert answer.status_code == 400
    assert "Disable mTLS first and then change the CA" in answer.text


def an_authority(*, identified: bool = False) -> tuple[x509.Certificate, bytes, bytes]:
    """Root certificate, itself and its key in PEM. `identified`: it can be told from others of its
    name, by the identifier of its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name.from_rfc4514_string("CN=mine")
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
    )
    if identified:
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        made = made.add_extension(identifier, critical=False)
    root = made.sign(key, hashes.SHA256())
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return root, root.public_bytes(Encoding.PEM), secret


async def test_no_request_fails_while_the_authority_is_changed(mesh: Mesh) -> None:
    """The order that validation enforces: permissive, off, another one permissive, strict.

    Sidecars do not change at the same moment, so requests are retried in between.
    """
    cp, inbound = mesh.cp, mesh.sidecars["server"].inbound
    root, cert, key = an_authority()
    for name, data in (("my-cert", cert), ("my-key", key)):
        text = base64.b64encode(data).decode()
        await cp.put({"type": "Secret", "mesh": "default", "name": name, "data": text})
    conf = {"cert": {"secret": "my-cert"}, "key": {"secret": "my-key"}}
    provided = {"name": "ca-2", "type": "provided", "conf": conf}

    async def plaintext() -> bool:
        try:
            async with httpx.AsyncClient() as stranger:
                return (await stranger.get(f"http://{HOST}:{inbound}/")).is_success
        except httpx.TransportError:
            return False

    async def identity() -> str:
        answer = await mesh.get()
        assert answer.is_success, f"{answer.text}, {load.failures}"
        seen: dict[str, str] = answer.json()["headers"]
        return seen.get("x-forwarded-client-cert", "")

    await cp.put(ROOM_FOR_RETRIES)
    async with constant_load(mesh.client.ports["api"]) as load:
        await cp.put(mesh_with(SHORT_LIVED, enabled="ca-1", mode="PERMISSIVE"))
        await until(plaintext, lambda works: works)
        await cp.put(mesh_with(SHORT_LIVED))
        await until(lambda: on_the_wire(inbound), lambda shown: shown is None)
        await until(identity, lambda name: not name)
        await cp.put(mesh_with(provided, enabled="ca-2", mode="PERMISSIVE"))
        await until(identity, lambda name: "spiffe://default/client" in name)
        await cp.put(mesh_with(provided, enabled="ca-2"))
        await until(plaintext, lambda works: not works)
        await load.more(100)

    shown = await on_the_wire(inbound)
    assert shown is not None
    shown.verify_directly_issued_by(root)
    assert load.failures == []
