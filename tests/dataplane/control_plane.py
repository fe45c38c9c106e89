"""A control plane as far as a starting kuma-dp sees it: HTTPS, POST /bootstrap, answers to order."""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.processes import free_ports

Json = dict[str, Any]
Reply = tuple[int, bytes]


@dataclass
class ControlPlane:
    """`reply` turns a request into status and body; `requests` are those that came."""

    port: int
    ca_file: Path
    reply: Callable[[Json], Reply]
    requests: list[Json] = field(default_factory=list)
    farewells: list[Json] = field(default_factory=list)
    takes_note_after: float = 0.0
    _server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    async def start(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca_file, self.ca_file.with_suffix(".key"))
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=context)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def _answer(self, path: str, request: Json) -> Reply:
        if path == "/drain":
            self.farewells.append(request)
            return 200, b""
        self.requests.append(request)
        return self.reply(request)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length: ")[1].split("\r\n")[0])
        request = json.loads(await reader.readexactly(length))
        path = head.split(" ")[1]
        status, body = self._answer(path, request)
        if path == "/drain":
            await asyncio.sleep(self.takes_note_after)
        # Chunked, as Go's server answers.
        chunks = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
        framing = f"HTTP/1.1 {status} X\r\ntransfer-encoding: chunked\r\n\r\n"
        writer.write(framing.encode() + chunks)
        await writer.drain()
        writer.close()


def given(bootstrap: Callable[[Json], Json]) -> Callable[[Json], Reply]:
    """Answer with an Envoy bootstrap made from the request."""

    def reply(request: Json) -> Reply:
        answer = {
            "bootstrap": base64.b64encode(json.dumps(bootstrap(request)).encode()).decode(),
            "kumaSidecarConfiguration": {"networking": {"address": "127.0.0.1"}},
        }
        return 200, json.dumps(answer).encode()

    return reply


def refused(status: int, text: str = "") -> Callable[[Json], Reply]:
    return lambda _request: (status, text.encode())


@asynccontextmanager
async def control_plane(
    folder: Path, reply: Callable[[Json], Reply], *, started: bool = True
) -> AsyncIterator[ControlPlane]:
    plane = ControlPlane(free_ports(1)[0], write_certificate(folder), reply)
    if started:
        await plane.start()
    try:
        yield plane
    finally:
        await plane.stop()


def write_certificate(
    folder: Path, *, hosts: tuple[str, ...] = ("localhost", "127.0.0.1"), ca: bool | None = True
) -> Path:
    """A self-signed certificate and, beside it, its key. `ca` None: without basic constraints."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kuma-cp")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([_san(host) for host in hosts]), critical=False)
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
    certificate = builder.sign(key, hashes.SHA256())
    path = folder / "cp.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    path.with_suffix(".key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


def _san(host: str) -> x509.GeneralName:
    return (
        x509.DNSName(host)
        if host[0].isalpha() or host[0] == "*"
        else x509.IPAddress(ip_address(host))
    )


def a_token(*, expires: datetime = datetime(2100, 1, 1, tzinfo=UTC), name: str = "redis") -> str:
    """A JWT in form; nobody verifies its signature here."""
    parts = ({"alg": "RS256", "kid": "1"}, {"Name": name, "exp": int(expires.timestamp())})
    encoded = [base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=") for each in parts]
    return b".".join([*encoded, b"c2lnbmF0dXJl"]).decode()
