"""What a SPIRE agent is to proxies: at a unix socket, certificates by SPIFFE ID and whom to trust.

    async with an_agent(directory, "example.org") as agent: ... agent.socket ... agent.rotate()

It speaks Envoy's secret discovery service and knows the names that SPIRE has.
Source: https://github.com/spiffe/spire/blob/main/doc/spire_agent.md
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from envoy.config.core.v3.base_pb2 import DataSource
from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.extensions.transport_sockets.tls.v3.common_pb2 import (
    CertificateValidationContext,
    TlsCertificate,
)
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from envoy.extensions.transport_sockets.tls.v3.tls_spiffe_validator_config_pb2 import (
    SPIFFECertValidatorConfig,
)
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse
from google.protobuf.any_pb2 import Any as Packed

_ALL = "ALL"
_SECRET = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
_STREAM = "StreamSecrets"
_SERVICE = "envoy.service.secret.v3.SecretDiscoveryService"
_NAME = x509.Name.from_rfc4514_string("O=SPIRE")


class Agent:
    """Of one trust domain. It certifies every SPIFFE ID of it that is asked for, but for `refused`."""

    def __init__(self, socket: Path, trust_domain: str) -> None:
        self.socket = socket
        self.trust_domain = trust_domain
        self.asked: set[str] = set()
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._root = _certificate(self._key.public_key(), self._key, is_authority=True)
        self._federated: dict[str, bytes] = {}
        self._version = 0
        self._rotated = asyncio.Condition()

    async def rotate(self) -> None:
        """Everybody gets another certificate, by the same authority."""
        async with self._rotated:
            self._version += 1
            self._rotated.notify_all()

    @property
    def root_pem(self) -> bytes:
        return _pem(self._root)

    async def federate(self, trust_domain: str, root_pem: bytes) -> None:
        """Its proxies trust another domain, too."""
        self._federated[trust_domain] = root_pem
        await self.rotate()

    async def serve(
        self, requests: AsyncIterator[DiscoveryRequest], context: Any
    ) -> AsyncIterator[DiscoveryResponse]:
        """One secret for each stream, as Envoy asks."""
        first = await anext(requests)
        (name,) = first.resource_names
        if name != _ALL and not name.startswith(f"spiffe://{self.trust_domain}/"):
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, f"no identity issued: {name}")
        self.asked.add(name)
        while True:
            version = self._version
            packed = Packed(type_url=_SECRET, value=self._secret(name).SerializeToString())
            yield DiscoveryResponse(
                version_info=str(version), type_url=_SECRET, nonce=str(version), resources=[packed]
            )
            async with self._rotated:
                await self._rotated.wait_for(lambda seen=version: self._version > seen)

    def _secret(self, name: str) -> Secret:
        return self._bundles() if name == _ALL else self._certified(name)

    def _bundles(self) -> Secret:
        domains = [
            SPIFFECertValidatorConfig.TrustDomain(
                name=name, trust_bundle=DataSource(inline_bytes=root)
            )
            for name, root in ((self.trust_domain, self.root_pem), *self._federated.items())
        ]
        config = Packed()
        config.Pack(SPIFFECertValidatorConfig(trust_domains=domains))
        validator = TypedExtensionConfig(
            name="envoy.tls.cert_validator.spiffe", typed_config=config
        )
        context = CertificateValidationContext(custom_validator_config=validator)
        return Secret(name=_ALL, validation_context=context)

    def _certified(self, spiffe_id: str) -> Secret:
        key = ec.generate_private_key(ec.SECP256R1())
        made = _certificate(key.public_key(), self._key, spiffe_id)
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        certificate = TlsCertificate(
            certificate_chain=DataSource(inline_bytes=_pem(made)),
            private_key=DataSource(inline_bytes=secret),
        )
        return Secret(name=spiffe_id, tls_certificate=certificate)


@asynccontextmanager
async def an_agent(directory: Path, trust_domain: str) -> AsyncIterator[Agent]:
    agent = Agent(directory / "agent.sock", trust_domain)
    handler = grpc.stream_stream_rpc_method_handler(
        agent.serve, DiscoveryRequest.FromString, DiscoveryResponse.SerializeToString
    )
    server = grpc.aio.server()
    handlers = grpc.method_handlers_generic_handler(_SERVICE, {_STREAM: handler})
    server.add_generic_rpc_handlers((handlers,))
    server.add_insecure_port(f"unix:{agent.socket}")
    await server.start()
    try:
        yield agent
    finally:
        await server.stop(None)


def _certificate(
    key: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    spiffe_id: str = "",
    *,
    is_authority: bool = False,
) -> x509.Certificate:
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        not is_authority, False, False, False, False, is_authority, is_authority, False, False
    )
    made = (
        x509.CertificateBuilder(_NAME, _NAME, key, x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
    )
    if spiffe_id:
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(spiffe_id)])
        made = made.add_extension(names, critical=False)
    return made.sign(signer, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)
