"""Secrets for SDS: a certificate with its key, and the CA that others are verified against."""

from envoy.config.core.v3.base_pb2 import DataSource
from envoy.extensions.transport_sockets.tls.v3.common_pb2 import (
    CertificateValidationContext,
    TlsCertificate,
)
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret

from kuma.plan.secret import SecretBytes


def build_certificate(name: str, *, chain: bytes, key: SecretBytes) -> Secret:
    """`chain` and `key` in PEM, the leaf first."""
    return Secret(
        name=name,
        tls_certificate=TlsCertificate(
            certificate_chain=DataSource(inline_bytes=chain),
            private_key=DataSource(inline_bytes=key.reveal),
        ),
    )


def build_ca(name: str, *, ca: bytes) -> Secret:
    """`ca`: one or more certificates in PEM; while a CA is replaced, the old one and the new."""
    return Secret(
        name=name,
        validation_context=CertificateValidationContext(trusted_ca=DataSource(inline_bytes=ca)),
    )
