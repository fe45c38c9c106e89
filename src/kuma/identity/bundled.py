"""The authority of a MeshIdentity with the Bundled provider: made by the control plane and kept in
two Secrets, or the user's, from wherever it is kept.

    Bundled --find_pair--> KeyPair --load_authority--> issuer.issue

Source: https://kuma.io/docs/2.14.x/policies/meshidentity
"""

import os
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from kuma.identity.errors import BadKeyPair, NoIdentity
from kuma.identity.key_pair import KeyPair, parse_certificates
from kuma.identity.provided import ca_violations
from kuma.identity.secret_source import SecretSource, find_secret, secret_key
from kuma.plan.secret import SecretBytes
from kuma.resources.kinds.mesh_identity.model import Bundled
from kuma.resources.kinds.secure_data_source import SecureDataSource
from kuma.resources.meta import ResourceKey


def cert_secret_key(mesh: str, identity: str) -> ResourceKey:
    """`identity` is the display name."""
    return secret_key(mesh, f"{identity}-root-ca")


def key_secret_key(mesh: str, identity: str) -> ResourceKey:
    return secret_key(mesh, f"{identity}-private-key")


def find_pair(bundled: Bundled, mesh: str, *, name: str, secrets: SecretSource) -> KeyPair:
    """`name` is the display name of the MeshIdentity. Raises NoIdentity while something is missing,
    and BadKeyPair for what cannot be an authority."""
    if bundled.is_generated:
        parts = tuple(
            find_secret(secrets, key)
            for key in (cert_secret_key(mesh, name), key_secret_key(mesh, name))
        )
        if parts[0] is None or parts[1] is None:
            raise NoIdentity(f'the secrets of the MeshIdentity "{name}" are missing')
        return KeyPair(parts[0], SecretBytes(parts[1]))
    authority = bundled.ca
    if authority is None or authority.certificate is None or authority.private_key is None:
        raise NoIdentity("the authority needs both certificate and privateKey")
    pair = KeyPair(
        read_source(authority.certificate, mesh=mesh, secrets=secrets),
        SecretBytes(read_source(authority.private_key, mesh=mesh, secrets=secrets)),
    )
    if found := ca_violations(pair):
        raise BadKeyPair("; ".join(f"{each.field}: {each.message}" for each in found))
    return pair


def read_source(source: SecureDataSource, *, mesh: str, secrets: SecretSource) -> bytes:
    """Raises NoIdentity, which names the source and never its content."""
    if source.secret_ref is not None:
        key = secret_key(mesh, source.secret_ref.name)
        data = find_secret(secrets, key)
        if data is None:
            raise NoIdentity(f"could not load data: {key} is not found")
        return data
    if source.file is not None:
        try:
            return Path(source.file.path).read_bytes()
        except OSError as error:
            message = f"could not load data: {source.file.path}: {error.strerror}"
            raise NoIdentity(message) from error
    if source.env_var is not None:
        text = os.environ.get(source.env_var.name)
        if text is None:
            raise NoIdentity(f"environment variable: {source.env_var.name} is not defined")
        return text.encode()
    if source.insecure_inline is not None:
        return source.insecure_inline.value.encode()
    raise NoIdentity("data source has to be chosen")


def is_self_signed(pair: KeyPair) -> bool:
    """Whether the authority is its own root. Raises BadKeyPair."""
    return _is_root(parse_certificates(pair.cert_pem)[0])


def has_root(pair: KeyPair) -> bool:
    """Whether a root is among the certificates: Envoy believes in nothing less. Raises BadKeyPair."""
    return any(map(_is_root, parse_certificates(pair.cert_pem)))


def _is_root(certificate: x509.Certificate) -> bool:
    if certificate.subject != certificate.issuer:
        return False
    try:
        certificate.verify_directly_issued_by(certificate)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def holds_certificate(pems: tuple[str, ...], pair: KeyPair) -> bool:
    """Whether one of the bundles in PEM has the authority's own certificate."""
    wanted = parse_certificates(pair.cert_pem)[0]
    return any(wanted in _certificates(pem) for pem in pems)


def _certificates(pem: str) -> list[x509.Certificate]:
    try:
        return parse_certificates(pem.encode())
    except BadKeyPair:
        return []
