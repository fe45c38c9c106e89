"""Whose signatures count for a kind of token: keys in secrets, and public keys from the settings.

The latter are for tokens that are signed without the control plane, whose private keys it then
need not hold.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from kuma.config.errors import BadConfig
from kuma.config.forms import PublicKey
from kuma.config.servers import KeyValidator
from kuma.identity.errors import BadKeyPair
from kuma.identity.signing_keys import parse_public_key


@dataclass(frozen=True, eq=False)
class StaticKey:
    """Checks tokens whose `kid` is this one; of every mesh if `mesh` is empty."""

    kid: str
    key: rsa.RSAPublicKey
    mesh: str = ""


@dataclass(frozen=True)
class Trust:
    """`static_keys` are tried first; with `use_secrets` the control plane's own keys count too."""

    static_keys: tuple[StaticKey, ...] = ()
    use_secrets: bool = True

    def find_static(self, kid: str, mesh: str) -> rsa.RSAPublicKey | None:
        for each in self.static_keys:
            if each.kid == kid and each.mesh in {"", mesh}:
                return each.key
        return None


SECRETS_ALONE = Trust()


def load_trust(validator: KeyValidator) -> Trust:
    """From the settings, reading key files. Raises BadConfig with every key that cannot be used."""
    return Trust(_load_keys(validator.public_keys), validator.use_secrets)


def _load_keys(settings: Iterable[PublicKey]) -> tuple[StaticKey, ...]:
    keys: list[StaticKey] = []
    problems: list[str] = []
    for each in settings:
        try:
            pem = Path(each.key_file).read_bytes() if each.key_file else each.key.encode()
            keys.append(parse_static_key(each.kid, pem, mesh=each.mesh))
        except OSError as error:
            problems.append(f'public key "{each.kid}": {each.key_file}: {error.strerror}')
        except BadKeyPair as error:
            problems.append(str(error))
    if problems:
        raise BadConfig(tuple(problems))
    return tuple(keys)


def parse_static_key(kid: str, pem: bytes, *, mesh: str = "") -> StaticKey:
    """Raises BadKeyPair that names the key id."""
    try:
        return StaticKey(kid, parse_public_key(pem), mesh)
    except BadKeyPair as error:
        raise BadKeyPair(f'public key "{kid}": {error}') from error
