"""Public keys from the settings, for tokens that are signed without the control plane."""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import rsa

from kuma.identity.errors import BadKeyPair
from kuma.identity.signing_keys import parse_public_key


@dataclass(frozen=True, eq=False)
class StaticKey:
    """Checks tokens whose `kid` is this one; of every mesh if `mesh` is empty."""

    kid: str
    key: rsa.RSAPublicKey
    mesh: str = ""


def parse_static_key(kid: str, pem: bytes, *, mesh: str = "") -> StaticKey:
    """Raises BadKeyPair that names the key id."""
    try:
        return StaticKey(kid, parse_public_key(pem), mesh)
    except BadKeyPair as error:
        raise BadKeyPair(f'public key "{kid}": {error}') from error
