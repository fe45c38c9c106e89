"""Tokens: what they say, how they are signed, and whether one that is shown is to be believed.

A token is a JWT, RS256, whose header names the key (`kid`). Dataplane tokens are signed per mesh,
zone and user tokens once per control plane. Those of the original validate here and these there.

    TokenIssuer(source, clock).user(UserIdentity(...), valid_for)   -> text
    TokenValidator(source, clock).user(text)                        -> UserIdentity, or TokenRefused

Source: https://kuma.io/docs/2.14.x/production/secure-deployment/dp-auth/ and .../api-server-auth/
"""

import hmac
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from kuma.identity.errors import BadKeyPair, TokenRefused
from kuma.identity.secret_source import SecretSource, find_secret
from kuma.identity.signing_keys import (
    USER_FAMILY,
    ZONE_FAMILY,
    KeyFamily,
    SigningKey,
    dataplane_family,
    latest_signing_key,
    missing_key_message,
    parse_public_key,
    parse_signing_key,
)
from kuma.identity.static_keys import SECRETS_ALONE, Trust
from kuma.kit.clock import Clock
from kuma.kit.value import value
from kuma.plan.secret import SecretBytes

CLOCK_SKEW = timedelta(seconds=5)
INGRESS_SCOPE = "ingress"
EGRESS_SCOPE = "egress"
_LEGACY_KID = "0"
_MAX_LENGTH = 64 * 1024

_CLAIMS = {
    "dataplane": frozenset({"Mesh", "Tags", "Type", "Workload"}),
    "zone": frozenset({"Zone", "Scope"}),
    "user": frozenset({"Groups"}),
}
"""What only one kind of token says."""

TagValues = tuple[tuple[str, tuple[str, ...]], ...]
"""Allowed values by tag, both sorted."""


@value
class DataplaneIdentity:
    """What a dataplane token proves. What is empty is not restricted by the token."""

    mesh: str
    name: str = ""
    tags: TagValues = ()
    type: str = ""
    workload: str = ""

    def claims(self) -> dict[str, Any]:
        return {
            "Name": self.name,
            "Mesh": self.mesh,
            "Tags": {tag: list(allowed) for tag, allowed in self.tags},
            "Type": self.type,
            "Workload": self.workload,
        }


@value
class ZoneIdentity:
    """What a zone token proves. `scope` is of "ingress" and "egress"; an empty zone means any."""

    zone: str
    scope: tuple[str, ...]

    def claims(self) -> dict[str, Any]:
        return {"Zone": self.zone, "Scope": list(self.scope)}


@value
class UserIdentity:
    """What a user token proves."""

    name: str
    groups: tuple[str, ...] = ()

    def claims(self) -> dict[str, Any]:
        return {"Name": self.name, "Groups": list(self.groups)}


Identity = DataplaneIdentity | ZoneIdentity | UserIdentity


def tag_values(tags: Mapping[str, Any]) -> TagValues:
    return tuple(sorted((tag, tuple(sorted(set(allowed)))) for tag, allowed in tags.items()))


def sign_token(identity: Identity, key: SigningKey, *, valid_for: timedelta, clock: Clock) -> str:
    """Also without a control plane: `key` may come from a file. Raises BadKeyPair."""
    private = parse_signing_key(key.pem)
    return _signed(identity, private, kid=key.kid, valid_for=valid_for, now=clock.now())


def _signed(
    identity: Identity, key: rsa.RSAPrivateKey, *, kid: str, valid_for: timedelta, now: datetime
) -> str:
    """Valid from a little before now, for validators whose clocks are behind."""
    registered = {
        "exp": int((now + valid_for).timestamp()),
        "nbf": int((now - CLOCK_SKEW).timestamp()),
        "iat": int((now - CLOCK_SKEW).timestamp()),
        "jti": str(uuid.uuid4()),
    }
    claims = {**identity.claims(), **registered}
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid})


class TokenIssuer:
    """Signs with the newest key of the control plane. All methods raise NoSigningKey, and
    BadKeyPair if the secret holds something else."""

    def __init__(self, source: SecretSource, *, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._parsed: dict[KeyFamily, tuple[SigningKey, rsa.RSAPrivateKey]] = {}

    def dataplane(self, identity: DataplaneIdentity, *, valid_for: timedelta) -> str:
        return self._sign(identity, dataplane_family(identity.mesh), valid_for)

    def zone(self, identity: ZoneIdentity, *, valid_for: timedelta) -> str:
        return self._sign(identity, ZONE_FAMILY, valid_for)

    def user(self, identity: UserIdentity, *, valid_for: timedelta) -> str:
        return self._sign(identity, USER_FAMILY, valid_for)

    def _sign(self, identity: Identity, family: KeyFamily, valid_for: timedelta) -> str:
        key = latest_signing_key(self._source, family)
        private = self._parse(family, key)
        now = self._clock.now()
        return _signed(identity, private, kid=key.kid, valid_for=valid_for, now=now)

    def _parse(self, family: KeyFamily, key: SigningKey) -> rsa.RSAPrivateKey:
        """The newest key of each family is remembered: reading one takes 40 ms, signing one."""
        known = self._parsed.get(family)
        if known is None or known[0] != key:
            known = self._parsed[family] = (key, parse_signing_key(key.pem))
        return known[1]


class TokenValidator:
    """Believes a token that a known key has signed, at this time, and nobody has revoked.

    The three kinds of tokens have their own `Trust`, as in the settings. All methods raise
    TokenRefused, with a sentence for the bearer.
    """

    def __init__(
        self,
        source: SecretSource,
        *,
        clock: Clock,
        dataplane_trust: Trust = SECRETS_ALONE,
        zone_trust: Trust = SECRETS_ALONE,
        user_trust: Trust = SECRETS_ALONE,
        zone_family: KeyFamily = ZONE_FAMILY,
    ) -> None:
        self._source = source
        self._clock = clock
        self._dataplane_trust = dataplane_trust
        self._zone_trust = zone_trust
        self._user_trust = user_trust
        self._zone_family = zone_family
        self._parsed: dict[str, tuple[bytes, rsa.RSAPublicKey]] = {}

    def dataplane(self, token: str, *, mesh: str) -> DataplaneIdentity:
        try:
            claims = self._claims(token, dataplane_family(mesh), self._dataplane_trust)
        except TokenRefused as error:
            raise _refused_in(mesh, token, error) from error
        _check_kind(claims, "dataplane")
        return DataplaneIdentity(
            mesh=_text(claims, "Mesh"),
            name=_text(claims, "Name"),
            tags=_tags(claims),
            type=_text(claims, "Type"),
            workload=_text(claims, "Workload"),
        )

    def zone(self, token: str) -> ZoneIdentity:
        claims = self._claims(token, self._zone_family, self._zone_trust)
        _check_kind(claims, "zone")
        return ZoneIdentity(_text(claims, "Zone"), _texts(claims.get("Scope"), "Scope"))

    def user(self, token: str) -> UserIdentity:
        claims = self._claims(token, USER_FAMILY, self._user_trust)
        _check_kind(claims, "user")
        return UserIdentity(_text(claims, "Name"), _texts(claims.get("Groups"), "Groups"))

    def _claims(self, token: str, family: KeyFamily, trust: Trust) -> Mapping[str, Any]:
        algorithm, kid = _header(token)
        key: rsa.RSAPublicKey | bytes
        if algorithm == "RS256":
            key = self._public_key(family, trust, kid)
        else:
            key = self._legacy_key(family, trust)
        claims = _verified(token, key, algorithm)
        self._check_time(claims)
        self._check_revoked(claims, family)
        return claims

    def _public_key(self, family: KeyFamily, trust: Trust, kid: str) -> rsa.RSAPublicKey:
        if (static := trust.find_static(kid, family.mesh)) is not None:
            return static
        key = family.key_of(kid)
        data = find_secret(self._source, key) if trust.use_secrets else None
        if data is None:
            raise TokenRefused(missing_key_message(family, kid))
        return self._parse(str(key), data, holds_public=family.holds_public)

    def _parse(self, place: str, data: bytes, *, holds_public: bool) -> rsa.RSAPublicKey:
        """Remembered, since reading a private key costs more than checking a signature."""
        known = self._parsed.get(place)
        if known is not None and hmac.compare_digest(known[0], data):
            return known[1]
        try:
            if holds_public:
                parsed = parse_public_key(data)
            else:
                parsed = parse_signing_key(SecretBytes(data)).public_key()
        except BadKeyPair as error:
            raise TokenRefused(f"{place} cannot check tokens: {error}") from error
        self._parsed[place] = (data, parsed)
        return parsed

    def _legacy_key(self, family: KeyFamily, trust: Trust) -> bytes:
        """HS256 was used before 1.4, with the bytes of the one key, whose secret has no serial."""
        place = family.key_of(_LEGACY_KID)
        usable = trust.use_secrets and not family.holds_public
        data = find_secret(self._source, place) if usable else None
        if data is None:
            raise TokenRefused(missing_key_message(family, _LEGACY_KID))
        return data

    def _check_time(self, claims: Mapping[str, Any]) -> None:
        now = self._clock.now()
        expires, starts = _moment(claims, "exp"), _moment(claims, "nbf")
        if expires is not None and now >= expires:
            raise TokenRefused(f"the token expired at {_iso(expires)}, generate a new one")
        if starts is not None and now < starts:
            raise TokenRefused(
                f"the token is not valid before {_iso(starts)}, which is in the future: check the "
                "clock of the machine that issued it"
            )

    def _check_revoked(self, claims: Mapping[str, Any], family: KeyFamily) -> None:
        token_id = _text(claims, "jti")
        for place in family.revocations:
            listed = (find_secret(self._source, place) or b"").decode(errors="replace")
            if token_id and token_id in (each.strip() for each in listed.split(",")):
                raise TokenRefused("the token is revoked")


def _refused_in(mesh: str, token: str, error: TokenRefused) -> TokenRefused:
    """Each mesh has keys of its own, so a token of another one is refused for its signature. What it
    says of its mesh, though unproven, is the better explanation."""
    try:
        said = jwt.decode(token, options={"verify_signature": False}).get("Mesh")
    except jwt.InvalidTokenError:
        return error
    if not isinstance(said, str) or said in {"", mesh}:
        return error
    return TokenRefused(f'the token is for the mesh "{said}", not for "{mesh}"')


def _header(token: str) -> tuple[str, str]:
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


def _verified(token: str, key: rsa.RSAPublicKey | bytes, algorithm: str) -> Mapping[str, Any]:
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


def _check_kind(claims: Mapping[str, Any], kind: str) -> None:
    # Differs from Kuma: there a dataplane token for a dataplane named like an admin is a token of
    # that admin, wherever one key signs both.
    for other, names in _CLAIMS.items():
        if other != kind and not names.isdisjoint(claims):
            raise TokenRefused(f"this is a {other} token, a {kind} token is needed")


def _text(claims: Mapping[str, Any], name: str) -> str:
    found = claims.get(name)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise TokenRefused(f"the token's claim {name} must be a string")
    return found


def _texts(found: object, name: str) -> tuple[str, ...]:
    if found is None:
        return ()
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise TokenRefused(f"the token's claim {name} must be a list of strings")
    return tuple(found)


def _tags(claims: Mapping[str, Any]) -> TagValues:
    found = claims.get("Tags")
    if found is None:
        return ()
    if not isinstance(found, dict):
        raise TokenRefused("the token's claim Tags must be an object of lists of strings")
    return tag_values({tag: _texts(allowed, "Tags") for tag, allowed in found.items()})


def _moment(claims: Mapping[str, Any], name: str) -> datetime | None:
    found = claims.get(name)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise TokenRefused(f"the token's claim {name} must be a number")
    try:
        return datetime.fromtimestamp(found, UTC)
    except (ValueError, OverflowError, OSError):
        raise TokenRefused(f"the token's claim {name} is out of range") from None


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _lower(error: Exception) -> str:
    text = str(error)
    return text[:1].lower() + text[1:]
