"""The keys that sign tokens: RSA keys in secrets, named by family and serial number.

    family (dataplane tokens of a mesh, zone tokens, user tokens)  ->  <prefix>-<serial>

New tokens are signed by the key with the highest serial; a token names its key (`kid`), so that
older keys go on being valid until their secret is deleted. That is how keys are rotated.

Source: https://kuma.io/docs/2.14.x/production/secure-deployment/dp-auth/#token-rotation
"""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

from kuma.identity.errors import BadKeyPair, NoSigningKey
from kuma.identity.key_pair import key_to_pem
from kuma.identity.secret_source import SecretSource, new_secret, secret_data, secret_key
from kuma.kit.value import value
from kuma.plan.secret import SecretBytes
from kuma.resources.kinds.secret import GLOBAL_SECRET, SECRET, SecretSpec
from kuma.resources.meta import ResourceKey
from kuma.resources.resource import Resource

FIRST_SERIAL = 1
RSA_BITS = 2048


@value
class KeyFamily:
    """Keys of one purpose. `mesh` is empty where they are GlobalSecrets.

    The secret of serial 0 has no serial in its name: so were keys named before 1.4.
    `revocations` are the secrets that may list revoked tokens; each counts.
    `holds_public` families keep public keys alone: they check tokens and cannot sign.
    """

    prefix: str
    revocations: tuple[ResourceKey, ...]
    mesh: str = ""
    holds_public: bool = False

    def key_of(self, kid: str) -> ResourceKey:
        return secret_key(self.mesh, self.prefix if kid == "0" else f"{self.prefix}-{kid}")

    def serial_of(self, name: str) -> int | None:
        """None if the secret is not of this family."""
        if name == self.prefix:
            return 0
        rest = name.removeprefix(f"{self.prefix}-")
        return int(rest) if rest != name and rest.isascii() and rest.isdigit() else None


def dataplane_family(mesh: str) -> KeyFamily:
    """Differs from Kuma: its documentation makes the list of revoked tokens a Secret of the mesh, but
    its code reads the GlobalSecret alone. Here both count."""
    name = f"dataplane-token-revocations-{mesh}"
    revocations = (secret_key(mesh, name), secret_key("", name))
    return KeyFamily(f"dataplane-token-signing-key-{mesh}", revocations, mesh=mesh)


_ZONE_REVOCATIONS = (secret_key("", "zone-token-revocations"),)
ZONE_FAMILY = KeyFamily("zone-token-signing-key", _ZONE_REVOCATIONS)
ZONE_PUBLIC_FAMILY = KeyFamily(
    "zone-token-signing-public-key", _ZONE_REVOCATIONS, holds_public=True
)
"""What a federated zone gets from its global control plane."""
USER_FAMILY = KeyFamily("user-token-signing-key", (secret_key("", "user-token-revocations"),))
ADMIN_USER_TOKEN = secret_key("", "admin-user-token")


@value
class SigningKey:
    """A key and the id that the tokens it signs carry."""

    kid: str
    pem: SecretBytes


def generate_signing_key() -> SecretBytes:
    """An RSA 2048 key as PEM. Takes 50 ms and more: call it off the event loop."""
    return key_to_pem(rsa.generate_private_key(65537, RSA_BITS))


def signing_key_secret(
    family: KeyFamily, key: SecretBytes, *, now: datetime, serial: int = FIRST_SERIAL
) -> Resource[SecretSpec]:
    """The secret to create for a new key. The mesh, if there is one, is its owner."""
    return new_secret(family.key_of(str(serial)), key.reveal, now=now)


def has_signing_key(source: SecretSource, family: KeyFamily) -> bool:
    return any(True for _ in _keys(source, family))


def latest_signing_key(source: SecretSource, family: KeyFamily) -> SigningKey:
    """The one with the highest serial. Raises NoSigningKey."""
    newest = max(_keys(source, family), key=lambda each: each[0], default=None)
    if newest is None:
        raise NoSigningKey(missing_key_message(family, str(FIRST_SERIAL)))
    serial, data = newest
    return SigningKey(str(serial), SecretBytes(data))


def _keys(source: SecretSource, family: KeyFamily) -> Iterable[tuple[int, bytes]]:
    kind = SECRET if family.mesh else GLOBAL_SECRET
    for resource in source.list(kind.name, family.mesh or None):
        if (serial := family.serial_of(resource.name)) is not None:
            yield serial, secret_data(resource)


def missing_key_message(family: KeyFamily, kid: str) -> str:
    key = family.key_of(kid)
    return (
        f"there is no signing key with KID {kid}: {key} is not found; "
        "if the signing key was rotated, generate the token anew"
    )


@lru_cache(maxsize=64)
def parse_signing_key(key: SecretBytes) -> rsa.RSAPrivateKey:
    """PEM, or bare PKCS#1 DER as before 1.4. Raises BadKeyPair.

    Remembered: checking a key takes 40 ms, during which nothing else runs.
    """
    data = key.reveal
    load = load_pem_private_key if b"-----BEGIN" in data else load_der_private_key
    try:
        parsed = load(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadKeyPair("the signing key is not an RSA private key in PEM") from error
    if not isinstance(parsed, rsa.RSAPrivateKey):
        raise BadKeyPair("the signing key must be an RSA private key")
    return parsed


def parse_public_key(data: bytes) -> rsa.RSAPublicKey:
    """`RSA PUBLIC KEY` or `PUBLIC KEY` in PEM, or bare PKCS#1 DER. Raises BadKeyPair."""
    load = load_pem_public_key if b"-----BEGIN" in data else load_der_public_key
    try:
        parsed = load(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadKeyPair("not an RSA public key in PEM") from error
    if not isinstance(parsed, rsa.RSAPublicKey):
        raise BadKeyPair("the public key must be an RSA key")
    return parsed
