"""The text of a token, taken apart: its header, its signature, its claims.

Everything raises TokenRefused, with a sentence for the bearer.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from kuma.identity.errors import TokenRefused
from kuma.identity.tokens import TagValues, tag_values

_MAX_LENGTH = 64 * 1024

_CLAIMS = {
    "dataplane": frozenset({"Mesh", "Tags", "Type", "Workload"}),
    "zone": frozenset({"Zone", "Scope"}),
    "user": frozenset({"Groups"}),
}
"""What only one kind of token says."""


def read_header(token: str) -> tuple[str, str]:
    """Algorithm and key id, unverified: they only choose how to verify."""
    if len(token) > _MAX_LENGTH:
        raise TokenRefused("the token is not a JWT: it is too long")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError as error:
        raise TokenRefused(f"the token is not a JWT: {_lower(error)}") from error
    algorithm, kid = header.get("alg"), header.get("kid")
    if algorithm not in {"RS256", "HS256"}:
        raise TokenRefused(f'unsupported token algorithm "{algorithm}", must be RS256')
    if not isinstance(kid, str) or not kid:
        raise TokenRefused("the token must name its signing key in the header kid")
    return algorithm, kid


def verified(token: str, key: rsa.RSAPublicKey | bytes, algorithm: str) -> Mapping[str, Any]:
    """Time is checked by our own clock, the other registered claims have no meaning here."""
    options = {
        f"verify_{claim}": False for claim in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")
    }
    try:
        decoded = jwt.decode(token, key, algorithms=[algorithm], options=options)  # type: ignore[arg-type]
    except jwt.InvalidSignatureError as error:
        raise TokenRefused("the signature of the token is invalid") from error
    except (jwt.InvalidTokenError, jwt.InvalidKeyError) as error:
        raise TokenRefused(f"the token cannot be verified: {_lower(error)}") from error
    return decoded


def refused_in(mesh: str, token: str, error: TokenRefused) -> TokenRefused:
    """Each mesh has keys of its own, so a token of another one is refused for its signature. What it
    says of its mesh, though unproven, is the better explanation."""
    try:
        said = jwt.decode(token, options={"verify_signature": False}).get("Mesh")
    except jwt.InvalidTokenError:
        return error
    if not isinstance(said, str) or said in {"", mesh}:
        return error
    return TokenRefused(f'the token is for the mesh "{said}", not for "{mesh}"')


def check_kind(claims: Mapping[str, Any], kind: str) -> None:
    # Differs from Kuma: there a dataplane token for a dataplane named like an admin is a token of
    # that admin, wherever one key signs both.
    for other, names in _CLAIMS.items():
        if other != kind and not names.isdisjoint(claims):
            raise TokenRefused(f"this is a {other} token, a {kind} token is needed")


def text_of(claims: Mapping[str, Any], name: str) -> str:
    found = claims.get(name)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise TokenRefused(f"the token's claim {name} must be a string")
    return found


def texts_of(found: object, name: str) -> tuple[str, ...]:
    if found is None:
        return ()
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise TokenRefused(f"the token's claim {name} must be a list of strings")
    return tuple(found)


def tags_of(claims: Mapping[str, Any]) -> TagValues:
    found = claims.get("Tags")
    if found is None:
        return ()
    if not isinstance(found, dict):
        raise TokenRefused("the token's claim Tags must be an object of lists of strings")
    return tag_values({tag: texts_of(allowed, "Tags") for tag, allowed in found.items()})


def moment_of(claims: Mapping[str, Any], name: str) -> datetime | None:
    found = claims.get(name)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise TokenRefused(f"the token's claim {name} must be a number")
    try:
        return datetime.fromtimestamp(found, UTC)
    except (ValueError, OverflowError, OSError):
        raise TokenRefused(f"the token's claim {name} is out of range") from None


def _lower(error: Exception) -> str:
    text = str(error)
    return text[:1].lower() + text[1:]
