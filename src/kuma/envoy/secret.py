"""Secrets for SDS: a certificate with its key, and the CA that others are verified against."""

from collections.abc import Iterable

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

from kuma.envoy.message import pack
from kuma.plan.secret import SecretBytes

SPIFFE_VALIDATOR = "envoy.tls.cert_validator.spiffe"


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


def build_trust(name: str, *, domains: Iterable[tuple[str, bytes]]) -> Secret:
    """For each trust domain the CAs in PEM that may vouch for its identities: each is trusted with
    its own, unlike one bundle of all."""
    config = SPIFFECertValidatorConfig(
        trust_domains=[
            SPIFFECertValidatorConfig.TrustDomain(
                name=domain, trust_bundle=DataSource(inline_bytes=ca)
            )
            for domain, ca in domains
        ]
    )
    validator = TypedExtensionConfig(name=SPIFFE_VALIDATOR, typed_config=pack(config))
    context = CertificateValidationContext(custom_validator_config=validator)
    return Secret(name=name, validation_context=context)
