"""Who may use Envoy's admin interface from afar: the control plane, by a certificate of this CA.

It is a CA of its own, since meshes may have no mutual TLS, and zone proxies belong to none.

    generate_admin_ca -> admin_ca_secret -> store (GlobalSecret `envoy-admin-ca`, kept for good)
    find_admin_ca -> signing_authority -> issue_admin_server  for a proxy's listener, at its address
                                       -> issue_admin_client  for the control plane
"""

from dataclasses import replace
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from kuma.identity.errors import BadKeyPair
from kuma.identity.key_pair import (
    TEN_YEARS,
    CertificateAuthority,
    KeyPair,
    authority_key_identifier,
    build_root,
    certificate_to_pem,
    key_to_pem,
    key_usage,
    load_authority,
    signing_hash,
    unsigned,
)
from kuma.identity.secret_source import SecretSource, find_secret, new_secret, secret_key
from kuma.identity.server_tls import alternative_names
from kuma.kit.clock import Clock
from kuma.plan.secret import SecretBytes
from kuma.resources.kinds.secret import SecretSpec
from kuma.resources.resource import Resource

ADMIN_CA = secret_key("", "envoy-admin-ca")
CLIENT_NAME = "kuma-cp"
CLOCK_SKEW = timedelta(minutes=5)
_KEY_START = b"-----BEGIN RSA PRIVATE KEY-----", b"-----BEGIN PRIVATE KEY-----", b"-----BEGIN EC"


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Kuma"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Mesh"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


_SUBJECT = _name("Envoy Admin CA")
_SIGNER = _name("Envoy Admin CA, signing")


def generate_admin_ca(clock: Clock) -> KeyPair:
    """RSA, as the original insists on when it reads it. 50 ms and more: off the event loop.

    # Differs from Kuma: it signs one certificate, that of `signing_authority`, where it may.
    """
    key = rsa.generate_private_key(65537, 2048)
    now = clock.now()
    root = build_root(
        key, subject=_SUBJECT, uri=None, not_before=now - CLOCK_SKEW, not_after=now + TEN_YEARS
    )
    return KeyPair(certificate_to_pem(root), key_to_pem(key))


def admin_ca_secret(pair: KeyPair, *, now: datetime) -> Resource[SecretSpec]:
    """Certificate and key, one after the other, in one secret."""
    return new_secret(ADMIN_CA, pair.cert_pem + pair.key.reveal, now=now)


def find_admin_ca(source: SecretSource) -> CertificateAuthority | None:
    """None if there is no such secret. Raises BadKeyPair if it holds something else."""
    data = find_secret(source, ADMIN_CA)
    return None if data is None else load_authority(_split(data))


def _split(data: bytes) -> KeyPair:
    starts = [found for start in _KEY_START if (found := data.find(start)) >= 0]
    if not starts:
        raise BadKeyPair(f"{ADMIN_CA} must hold a certificate and its key, in PEM")
    return KeyPair(data[: min(starts)], SecretBytes(data[min(starts) :]))


def signing_authority(root: CertificateAuthority, *, clock: Clock) -> CertificateAuthority:
    """Signs for `root`, ten times as fast as RSA: an ECDSA key that is held nowhere but here, so that
    every instance, and every start, has one of its own. `root` itself if it is fast, or allows no
    authority below it."""
    if not isinstance(root.key, rsa.RSAPrivateKey) or not _allows_another(root.certificate):
        return root
    key = ec.generate_private_key(ec.SECP256R1())
    issuer, public = root.certificate, key.public_key()
    made = (
        unsigned(
            key,
            subject=_SIGNER,
            issuer=issuer.subject,
            not_before=max(clock.now() - CLOCK_SKEW, issuer.not_valid_before_utc),
            not_after=root.not_after,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(key_cert_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(authority_key_identifier(issuer), critical=False)
        .sign(root.key, signing_hash(root.key))
    )
    chain = certificate_to_pem(made) + root.intermediates_pem
    return replace(root, certificate=made, key=key, intermediates_pem=chain)


def _allows_another(authority: x509.Certificate) -> bool:
    try:
        known = authority.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return False
    return known.ca and known.path_length != 0


def issue_admin_server(
    authority: CertificateAuthority, hosts: tuple[str, ...], *, clock: Clock
) -> KeyPair:
    """For the admin listener of one proxy, which is reached at `hosts`."""
    return _issue(authority, hosts, ExtendedKeyUsageOID.SERVER_AUTH, clock)


def issue_admin_client(authority: CertificateAuthority, *, clock: Clock) -> KeyPair:
    """For the control plane; proxies ask for this very name, `kuma-cp`."""
    return _issue(authority, (CLIENT_NAME,), ExtendedKeyUsageOID.CLIENT_AUTH, clock)


def _issue(
    authority: CertificateAuthority,
    hosts: tuple[str, ...],
    purpose: ObjectIdentifier,
    clock: Clock,
) -> KeyPair:
    # Differs from Kuma: RSA there; see the issuer of workload certificates.
    key = ec.generate_private_key(ec.SECP256R1())
    now = clock.now()
    issuer = authority.certificate
    made = (
        unsigned(
            key,
            subject=x509.Name([]),
            issuer=issuer.subject,
            not_before=now - CLOCK_SKEW,
            not_after=min(now + TEN_YEARS, authority.not_after),
        )
        # Critical because the subject is empty: RFC 5280, 4.2.1.6.
        .add_extension(alternative_names(hosts), critical=True)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(authority_key_identifier(issuer), critical=False)
        .sign(authority.key, signing_hash(authority.key))
    )
    return KeyPair(certificate_to_pem(made) + authority.intermediates_pem, key_to_pem(key))
