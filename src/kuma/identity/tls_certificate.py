"""A self-signed certificate for a server or a client, as `kumactl generate tls-certificate` makes."""

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kuma.identity.issuer import CLOCK_SKEW
from kuma.identity.key_pair import (
    TEN_YEARS,
    KeyPair,
    certificate_to_pem,
    key_to_pem,
    key_usage,
    signing_hash,
    unsigned,
)
from kuma.identity.server_tls import alternative_names
from kuma.identity.signing_keys import RSA_BITS


def generate_tls_certificate(
    hosts: Sequence[str], *, is_client: bool, is_ecdsa: bool, now: datetime
) -> KeyPair:
    """For ten years; also its own CA, so that whoever is to trust it is given the file itself.

    Raises ValueError for a host that a certificate cannot name.
    """
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = (
        ec.generate_private_key(ec.SECP256R1())
        if is_ecdsa
        else rsa.generate_private_key(65537, RSA_BITS)
    )
    purpose = ExtendedKeyUsageOID.CLIENT_AUTH if is_client else ExtendedKeyUsageOID.SERVER_AUTH
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])])
    usage = key_usage(digital_signature=True, key_encipherment=not is_ecdsa, key_cert_sign=True)
    builder = (
        unsigned(
            key,
            subject=subject,
            issuer=subject,
            not_before=now - CLOCK_SKEW,
            not_after=now + TEN_YEARS,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(alternative_names(tuple(hosts)), critical=False)
    )
    return KeyPair(certificate_to_pem(builder.sign(key, signing_hash(key))), key_to_pem(key))
