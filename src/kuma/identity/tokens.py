"""Tokens: what they say, and how they are signed. `token_validator` says whether to believe one.

A token is a JWT, RS256, whose header names the key (`kid`). Dataplane tokens are signed per mesh,
zone and user tokens once per control plane. Those of the original validate here and these there.

    TokenIssuer(source, clock).user(UserIdentity(...), valid_for)   -> text

Source: https://kuma.io/docs/2.14.x/production/secure-deployment/dp-auth/ and .../api-server-auth/
"""

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from kuma.identity.secret_source import SecretSource
from kuma.identity.signing_keys import (
    USER_FAMILY,
    ZONE_FAMILY,
    KeyFamily,
    SigningKey,
    dataplane_family,
    latest_signing_key,
    parse_signing_key,
)
from kuma.kit.clock import Clock
from kuma.kit.value import value

CLOCK_SKEW = timedelta(seconds=5)
INGRESS_SCOPE = "ingress"
EGRESS_SCOPE = "egress"

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
