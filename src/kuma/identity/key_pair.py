"""A certificate with its private key, as PEM; and the authority that one can be.

Everything that reads or makes X.509 in this folder starts here. PEM comes from secrets and files
that users write, so reading it never trusts it.
"""

import warnings
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.utils import CryptographyDeprecationWarning

from kuma.identity.errors import BadKeyPair
from kuma.kit.value import value
from kuma.plan.secret import SecretBytes

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@value
class KeyPair:
    """`cert_pem` is the certificate, perhaps followed by those that signed it."""

    cert_pem: bytes
    key: SecretBytes


@dataclass(frozen=True, eq=False)
class CertificateAuthority:
    """A key pair read once, so that signing a certificate costs the signature alone.

    `bundle_pem` is what peers trust. `intermediates_pem` are the certificates that a peer needs to
    get from a certificate signed here to a self-signed root; empty if this is the root.
    """

    certificate: x509.Certificate
    key: PrivateKey
    bundle_pem: bytes
    intermediates_pem: bytes

    @property
    def not_after(self) -> datetime:
        return self.certificate.not_valid_after_utc


def load_authority(pair: KeyPair) -> CertificateAuthority:
    """Raises BadKeyPair. Whether it may be a CA at all is `provided.ca_violations`' question."""
    certificates = parse_certificates(pair.cert_pem)
    key = parse_private_key(pair.key)
    if not is_key_of(key, certificates[0]):
        raise BadKeyPair("not a valid TLS key pair: private key does not match public key")
    signers = [each for each in certificates if each.subject != each.issuer]
    return CertificateAuthority(
        certificate=certificates[0],
        key=key,
        bundle_pem=pair.cert_pem,
        intermediates_pem=b"".join(each.public_bytes(Encoding.PEM) for each in signers),
    )


def parse_certificates(pem: bytes) -> list[x509.Certificate]:
    """At least one. Raises BadKeyPair."""
    try:
        with warnings.catch_warnings():
            # Roots made by Kuma carry serial number 0, which cryptography frowns upon but reads.
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise BadKeyPair("not a valid TLS key pair: the certificate is not PEM") from error


def parse_private_key(pem: SecretBytes) -> PrivateKey:
    """RSA, elliptic curve or Ed25519, in PKCS#1, SEC 1 or PKCS#8. Raises BadKeyPair."""
    try:
        key = load_pem_private_key(pem.reveal, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadKeyPair(
            "not a valid TLS key pair: the key is not an unencrypted PEM key"
        ) from error
    if not isinstance(key, PrivateKey):
        raise BadKeyPair("not a valid TLS key pair: the key must be RSA, ECDSA or Ed25519")
    return key


def is_key_of(key: PrivateKey, certificate: x509.Certificate) -> bool:
    return _public_der(key.public_key()) == _public_der(certificate.public_key())


def _public_der(key: object) -> bytes:
    der: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
    return der


def key_to_pem(key: PrivateKey) -> SecretBytes:
    """`RSA PRIVATE KEY` for RSA, as Kuma writes it and its readers insist on; PKCS#8 for others."""
    form = (
        PrivateFormat.TraditionalOpenSSL
        if isinstance(key, rsa.RSAPrivateKey)
        else PrivateFormat.PKCS8
    )
    return SecretBytes(key.private_bytes(Encoding.PEM, form, NoEncryption()))


def certificate_to_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def signing_hash(key: PrivateKey) -> hashes.SHA256 | None:
    """Ed25519 signs without a separate hash."""
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


def build_root(
    key: PrivateKey,
    *,
    subject: x509.Name,
    uri: str | None,
    not_before: datetime,
    not_after: datetime,
) -> x509.Certificate:
    """A self-signed certificate that may sign others and revocation lists, and nothing else."""
    builder = (
        unsigned(key, subject=subject, issuer=subject, not_before=not_before, not_after=not_after)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if uri is not None:
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(key, signing_hash(key))


def unsigned(
    key: PrivateKey,
    *,
    subject: x509.Name,
    issuer: x509.Name,
    not_before: datetime,
    not_after: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )


def key_usage(
    *,
    digital_signature: bool = False,
    key_encipherment: bool = False,
    key_cert_sign: bool = False,
    crl_sign: bool = False,
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=key_encipherment,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def authority_key_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """Points at the issuer's own identifier; RFC 5280, 4.2.1.1."""
    try:
        known = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())  # type: ignore[arg-type]
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(known)


TEN_YEARS = timedelta(days=3650)
