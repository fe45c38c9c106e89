"""The builtin CA: a root that the control plane makes for a mesh and keeps in two of its secrets.

    generate_root(mesh) -> KeyPair -> secrets_for(mesh, backend, pair) -> store

Source: https://kuma.io/docs/2.14.x/policies/mutual-tls/#usage-of-builtin-ca
"""

from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from kuma.identity.key_pair import TEN_YEARS, KeyPair, build_root, certificate_to_pem, key_to_pem
from kuma.identity.secret_source import new_secret, secret_key
from kuma.kit.clock import Clock
from kuma.resources.kinds.secret import SecretSpec
from kuma.resources.meta import ResourceKey
from kuma.resources.resource import Resource

CLOCK_SKEW = timedelta(seconds=10)
DEFAULT_RSA_BITS = 2048


def generate_root(
    mesh: str,
    *,
    clock: Clock,
    rsa_bits: int = DEFAULT_RSA_BITS,
    expiration: timedelta = TEN_YEARS,
) -> KeyPair:
    """Valid from a little before now, for machines whose clocks are behind.

    Takes 50 ms and more, so call it off the event loop. `rsa_bits` 0 means the default.
    """
    key = rsa.generate_private_key(65537, rsa_bits or DEFAULT_RSA_BITS)
    now = clock.now()
    certificate = build_root(
        key,
        subject=_subject(mesh),
        uri=f"spiffe://{mesh}",
        not_before=now - CLOCK_SKEW,
        not_after=now + expiration,
    )
    return KeyPair(certificate_to_pem(certificate), key_to_pem(key))


def _subject(mesh: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Kuma"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Mesh"),
            x509.NameAttribute(NameOID.COMMON_NAME, mesh),
        ]
    )


def cert_secret_key(mesh: str, backend: str) -> ResourceKey:
    return secret_key(mesh, f"{mesh}.ca-builtin-cert-{backend}")


def key_secret_key(mesh: str, backend: str) -> ResourceKey:
    return secret_key(mesh, f"{mesh}.ca-builtin-key-{backend}")


def secrets_for(
    mesh: str, backend: str, *, pair: KeyPair, now: datetime
) -> tuple[Resource[SecretSpec], Resource[SecretSpec]]:
    """The certificate's secret and the key's, to be created with the mesh as their owner."""
    return (
        new_secret(cert_secret_key(mesh, backend), pair.cert_pem, now=now),
        new_secret(key_secret_key(mesh, backend), pair.key.reveal, now=now),
    )
