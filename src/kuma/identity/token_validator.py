"""Whether a token that is shown is to be believed, and what it proves.

    TokenValidator(source, clock).user(text) -> UserIdentity, or TokenRefused

Source: https://kuma.io/docs/2.14.x/production/secure-deployment/dp-auth/ and .../api-server-auth/
"""

import hmac
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from kuma.identity.claims import (
    check_kind,
    moment_of,
    read_header,
    refused_in,
    tags_of,
    text_of,
    texts_of,
    verified,
)
from kuma.identity.errors import BadKeyPair, TokenRefused
from kuma.identity.secret_source import SecretSource, find_secret
from kuma.identity.signing_keys import (
    USER_FAMILY,
    ZONE_FAMILY,
    KeyFamily,
    dataplane_family,
    missing_key_message,
    parse_public_key,
    parse_signing_key,
)
from kuma.identity.static_keys import SECRETS_ALONE, Trust
from kuma.identity.tokens import DataplaneIdentity, UserIdentity, ZoneIdentity
from kuma.kit.clock import Clock
from kuma.plan.secret import SecretBytes

REMEMBERED = 1_000
"""Tokens whose signature need not be checked again with the same key: the latest ones, which are
those of proxies that connect."""
_LEGACY_KID = "0"

Key = rsa.RSAPublicKey | bytes


@dataclass(frozen=True, slots=True, repr=False)
class _Believed:
    """What `key` has signed."""

    algorithm: str
    kid: str
    key: Key
    claims: Mapping[str, Any]


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
        self._remembered: OrderedDict[str, _Believed] = OrderedDict()

    def dataplane(self, token: str, *, mesh: str) -> DataplaneIdentity:
        try:
            claims = self._claims(token, dataplane_family(mesh), self._dataplane_trust)
        except TokenRefused as error:
            raise refused_in(mesh, token, error) from error
        check_kind(claims, "dataplane")
        return DataplaneIdentity(
            mesh=text_of(claims, "Mesh"),
            name=text_of(claims, "Name"),
            tags=tags_of(claims),
            type=text_of(claims, "Type"),
            workload=text_of(claims, "Workload"),
        )

    def zone(self, token: str) -> ZoneIdentity:
        claims = self._claims(token, self._zone_family, self._zone_trust)
        check_kind(claims, "zone")
        return ZoneIdentity(text_of(claims, "Zone"), texts_of(claims.get("Scope"), "Scope"))

    def user(self, token: str) -> UserIdentity:
        claims = self._claims(token, USER_FAMILY, self._user_trust)
        check_kind(claims, "user")
        return UserIdentity(text_of(claims, "Name"), texts_of(claims.get("Groups"), "Groups"))

    def _claims(self, token: str, family: KeyFamily, trust: Trust) -> Mapping[str, Any]:
        claims = self._believed(token, family, trust)
        self._check_time(claims)
        self._check_revoked(claims, family)
        return claims

    def _believed(self, token: str, family: KeyFamily, trust: Trust) -> Mapping[str, Any]:
        """What a key that is known now has signed. Remembered, since the token of a proxy is checked
        again whenever its Dataplane changes."""
        known = self._remembered.get(token)
        algorithm, kid = read_header(token) if known is None else (known.algorithm, known.kid)
        key: Key
        if algorithm == "RS256":
            key = self._public_key(family, trust, kid)
        else:
            key = self._legacy_key(family, trust)
        if known is None or known.key is not key:
            claims = verified(token, key, algorithm)
            known = self._remembered[token] = _Believed(algorithm, kid, key, claims)
            if len(self._remembered) > REMEMBERED:
                self._remembered.popitem(last=False)
        return known.claims

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
        expires, starts = moment_of(claims, "exp"), moment_of(claims, "nbf")
        if expires is not None and now >= expires:
            raise TokenRefused(f"the token expired at {_iso(expires)}, generate a new one")
        if starts is not None and now < starts:
            raise TokenRefused(
                f"the token is not valid before {_iso(starts)}, which is in the future: check the "
                "clock of the machine that issued it"
            )

    def _check_revoked(self, claims: Mapping[str, Any], family: KeyFamily) -> None:
        token_id = text_of(claims, "jti")
        for place in family.revocations:
            listed = (find_secret(self._source, place) or b"").decode(errors="replace")
            if token_id and token_id in (each.strip() for each in listed.split(",")):
                raise TokenRefused("the token is revoked")


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
