"""The TLS modes of the connection to PostgreSQL, against a server that speaks TLS."""

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kuma.kit.clock import ManualClock
from kuma.resources.errors import Unavailable
from kuma.resources.store import Create
from kuma.stores.errors import CannotOpen
from kuma.stores.postgres import PostgresStore
from kuma.stores.postgres_connection import PostgresSettings, PostgresTls, TlsMode
from tests.support.kinds import KINDS, a_garden
from tests.support.listeners import Recorder
from tests.support.postgres import PostgresServer


@dataclass(frozen=True)
class Issued:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


def issue(name: str, by: Issued | None = None, *, address: str = "") -> Issued:
    """An authority, or with `by` a certificate for `address`."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    signer = by.key if by else key
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if address:
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        builder = builder.add_extension(names, critical=False)
    return Issued(builder.sign(signer, hashes.SHA256()), key)


class Front:
    """Speaks TLS in front of a server that was built without it, as PostgreSQL does: the client
    asks, "S" is the answer, and the handshake follows.

    Source: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL
    """

    SSL_REQUEST = bytes.fromhex("00000008 04d2162f")

    def __init__(self, behind: str, context: ssl.SSLContext) -> None:
        self._behind = behind
        self._context = context
        self._sessions: set[asyncio.Task[None]] = set()

    async def serve(self) -> asyncio.Server:
        return await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def close(self) -> None:
        for session in self._sessions:
            session.cancel()
        if self._sessions:
            await asyncio.wait(self._sessions)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._sessions.add(asyncio.create_task(self._session(reader, writer)))

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(self._behind)
        try:
            opening = await reader.readexactly(8)
            if opening == self.SSL_REQUEST:
                writer.write(b"S")
                await writer.start_tls(self._context)
            else:
                server_writer.write(opening)
            await asyncio.gather(_pump(reader, server_writer), _pump(server_reader, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client did not like what it saw
        finally:
            writer.transport.abort()
            server_writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@dataclass(frozen=True)
class Secured:
    settings: PostgresSettings
    ca: str
    other_ca: str
    has_right_name: bool


@pytest.fixture(params=["127.0.0.1", "10.1.2.3"], ids=["right-name", "wrong-name"])
async def secured(
    postgres: PostgresServer, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Secured]:
    """A server whose certificate is for 127.0.0.1, where it is, or for another address."""
    authority, other = issue("authority"), issue("other")
    issued = issue("server", authority, address=request.param)
    for name, content in (
        ("ca.pem", authority.pem),
        ("other.pem", other.pem),
        ("server.pem", issued.pem + issued.key_pem),
    ):
        (tmp_path / name).write_bytes(content)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server.pem")
    settings = await postgres.new_database()
    front = Front(f"{settings.host}/.s.PGSQL.{settings.port}", context)
    async with await front.serve() as server:
        port = server.sockets[0].getsockname()[1]
        yield Secured(
            replace(settings, host="127.0.0.1", port=port),
            str(tmp_path / "ca.pem"),
            str(tmp_path / "other.pem"),
            request.param == "127.0.0.1",
        )
        await front.close()


async def works(settings: PostgresSettings, tls: PostgresTls) -> bool:
    store = PostgresStore(replace(settings, tls=tls), KINDS, ManualClock())
    try:
        await store.start(Recorder())
        await store.commit([Create(a_garden(tls.mode.value.lower()))])
    except Unavailable:
        return False
    finally:
        await store.close()
    return True


async def test_each_mode_checks_what_it_says(secured: Secured) -> None:
    modes = {
        mode: await works(secured.settings, PostgresTls(mode, ca_path=secured.ca))
        for mode in TlsMode
    }
    assert modes == {
        TlsMode.DISABLE: True,
        TlsMode.VERIFY_NONE: True,
        TlsMode.VERIFY_CA: True,
        TlsMode.VERIFY_FULL: secured.has_right_name,
    }
    wrong = PostgresTls(TlsMode.VERIFY_CA, ca_path=secured.other_ca)
    assert not await works(secured.settings, wrong)


async def test_a_server_without_tls_is_refused_by_every_mode_that_wants_it(
    postgres: PostgresServer,
) -> None:
    settings = replace(await postgres.new_database(), host="127.0.0.1")

    for mode in TlsMode:
        assert await works(settings, PostgresTls(mode)) is (mode is TlsMode.DISABLE)


def test_a_certificate_that_cannot_be_read_is_named() -> None:
    tls = PostgresTls(TlsMode.VERIFY_CA, ca_path="/nowhere/ca.pem")

    with pytest.raises(CannotOpen, match=r"cannot load /nowhere/ca\.pem"):
        PostgresStore(PostgresSettings(tls=tls), KINDS, ManualClock())
