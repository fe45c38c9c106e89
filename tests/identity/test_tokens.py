"""Tokens: round trips, and every way in which one is refused."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from datetime import timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kuma.config.errors import BadConfig
from kuma.config.forms import PublicKey
from kuma.config.servers import KeyValidator
from kuma.identity.errors import BadKeyPair, NoSigningKey, TokenRefused
from kuma.identity.secret_source import new_secret, secret_key
from kuma.identity.signing_keys import (
    USER_FAMILY,
    ZONE_FAMILY,
    ZONE_PUBLIC_FAMILY,
    SigningKey,
    dataplane_family,
    parse_signing_key,
    signing_key_secret,
)
from kuma.identity.static_keys import Trust, load_trust, parse_static_key
from kuma.identity.token_validator import TokenValidator
from kuma.identity.tokens import (
    DataplaneIdentity,
    TokenIssuer,
    UserIdentity,
    ZoneIdentity,
    sign_token,
    tag_values,
)
from kuma.kit.clock import ManualClock
from kuma.plan.secret import SecretBytes
from kuma.resources.store import Change
from tests.support.replicas import replica_of

HOUR = timedelta(hours=1)
JOHN = UserIdentity("john", ("developers",))


@pytest.fixture
def source(signing_pem, clock):
    families = (USER_FAMILY, ZONE_FAMILY, dataplane_family("default"))
    return replica_of(*(signing_key_secret(f, signing_pem, now=clock.now()) for f in families))


@pytest.fixture
def issuer(source, clock):
    return TokenIssuer(source, clock=clock)


@pytest.fixture
def validator(source, clock):
    return TokenValidator(source, clock=clock)


def claims_of(token):
    return jwt.decode(token, options={"verify_signature": False})


def forged(signing_pem, claims, *, kid="1", **header):
    key = parse_signing_key(signing_pem)
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid, **header})


def public_pem(signing_pem, form=PublicFormat.PKCS1):
    return parse_signing_key(signing_pem).public_key().public_bytes(Encoding.PEM, form)


def test_each_kind_of_token_proves_what_was_issued(issuer, validator):
    dataplane = DataplaneIdentity(
        "default",
        name="web-1",
        tags=tag_values({"kuma.io/service": ["web", "api"]}),
        type="dataplane",
        workload="web",
    )
    zone = ZoneIdentity("east", ("ingress", "egress"))
    assert validator.user(issuer.user(JOHN, valid_for=HOUR)) == JOHN
    assert validator.zone(issuer.zone(zone, valid_for=HOUR)) == zone
    token = issuer.dataplane(dataplane, valid_for=HOUR)
    assert validator.dataplane(token, mesh="default") == dataplane


def test_the_claims_are_those_of_the_original(issuer, clock):
    now = int(clock.now().timestamp())
    token = issuer.dataplane(
        DataplaneIdentity("default", name="web-1", tags=(("version", ("1",)),)), valid_for=HOUR
    )
    claims = claims_of(token)
    assert len(claims.pop("jti")) == 36
    assert claims == {
        "Name": "web-1",
        "Mesh": "default",
        "Tags": {"version": ["1"]},
        "Type": "",
        "Workload": "",
        "exp": now + 3600,
        "nbf": now - 5,
        "iat": now - 5,
    }
    assert jwt.get_unverified_header(token) == {"alg": "RS256", "kid": "1", "typ": "JWT"}


def test_missing_and_null_claims_mean_no_restriction(signing_pem, validator):
    token = forged(signing_pem, {"Mesh": "default", "Tags": None})
    assert validator.dataplane(token, mesh="default") == DataplaneIdentity("default")
    assert validator.user(forged(signing_pem, {"Name": "a", "Groups": None})) == UserIdentity("a")


def test_a_token_is_valid_until_its_last_second(issuer, validator, clock):
    token = issuer.user(JOHN, valid_for=HOUR)
    clock.advance(HOUR - timedelta(seconds=1))
    assert validator.user(token) == JOHN
    clock.advance(timedelta(seconds=1))
    with pytest.raises(TokenRefused, match="the token expired at 2026-01-01T01:00:00Z"):
        validator.user(token)


def test_a_token_from_the_future_is_refused(issuer, source):
    token = issuer.user(JOHN, valid_for=HOUR)
    behind = ManualClock()
    behind.advance(timedelta(seconds=-6))
    with pytest.raises(TokenRefused, match=r"not valid before .* in the future: check the clock"):
        TokenValidator(source, clock=behind).user(token)


def test_a_clock_that_is_a_little_behind_is_tolerated(issuer, source):
    token = issuer.user(JOHN, valid_for=HOUR)
    behind = ManualClock()
    behind.advance(timedelta(seconds=-5))
    assert TokenValidator(source, clock=behind).user(token) == JOHN


def test_a_revoked_token_is_refused_and_others_are_not(issuer, source, clock, validator):
    bad, good = (issuer.user(JOHN, valid_for=HOUR) for _ in range(2))
    listed = f"some-id, {claims_of(bad)['jti']}\n".encode()
    revocations = new_secret(*USER_FAMILY.revocations, listed, now=clock.now())
    source.changed([_added(revocations)])
    with pytest.raises(TokenRefused, match=r"^the token is revoked$"):
        validator.user(bad)
    assert validator.user(good) == JOHN


def _added(resource):
    return Change(resource.key, resource)


@pytest.mark.parametrize("mesh", ["default", ""])
def test_dataplane_tokens_are_revoked_in_the_mesh_or_globally(
    mesh, issuer, source, clock, validator
):
    token = issuer.dataplane(DataplaneIdentity("default", "web-1"), valid_for=HOUR)
    key = secret_key(mesh, "dataplane-token-revocations-default")
    revocations = new_secret(key, claims_of(token)["jti"].encode(), now=clock.now())
    source.changed([_added(revocations)])
    with pytest.raises(TokenRefused, match=r"^the token is revoked$"):
        validator.dataplane(token, mesh="default")


def test_a_token_of_another_key_with_the_same_id_is_refused(other_signing_pem, validator, clock):
    key = SigningKey("1", other_signing_pem)
    token = sign_token(JOHN, key, valid_for=HOUR, clock=clock)
    with pytest.raises(TokenRefused, match="the signature of the token is invalid"):
        validator.user(token)


def test_a_token_of_another_mesh_is_refused(issuer, validator):
    token = issuer.dataplane(DataplaneIdentity("default"), valid_for=HOUR)
    with pytest.raises(TokenRefused, match='the token is for the mesh "default", not for "other"'):
        validator.dataplane(token, mesh="other")


def test_a_deleted_key_takes_its_tokens_along(issuer, source, validator):
    token = issuer.user(JOHN, valid_for=HOUR)
    source.changed([Change(USER_FAMILY.key_of("1"), None)])
    with pytest.raises(TokenRefused, match="no signing key with KID 1"):
        validator.user(token)


def test_a_replaced_key_does_not_go_on_being_believed(
    issuer, source, validator, other_signing_pem, clock
):
    token = issuer.user(JOHN, valid_for=HOUR)
    assert validator.user(token) == JOHN
    later = clock.now() + HOUR
    source.resynced([signing_key_secret(USER_FAMILY, other_signing_pem, now=later)])
    with pytest.raises(TokenRefused, match="signature"):
        validator.user(token)
    assert validator.user(issuer.user(JOHN, valid_for=HOUR)) == JOHN


def test_older_keys_stay_valid_beside_the_newest(issuer, source, clock, other_signing_pem):
    old = issuer.user(JOHN, valid_for=HOUR)
    source.changed(
        [_added(signing_key_secret(USER_FAMILY, other_signing_pem, now=clock.now(), serial=2))]
    )
    new = issuer.user(JOHN, valid_for=HOUR)
    validator = TokenValidator(source, clock=clock)
    assert jwt.get_unverified_header(new)["kid"] == "2"
    assert validator.user(old) == validator.user(new) == JOHN


def test_without_a_signing_key_nothing_is_issued(clock):
    with pytest.raises(NoSigningKey, match='"user-token-signing-key-1" is not found'):
        TokenIssuer(replica_of(), clock=clock).user(JOHN, valid_for=HOUR)


@pytest.mark.parametrize("form", [PublicFormat.PKCS1, PublicFormat.SubjectPublicKeyInfo])
def test_a_static_key_validates_without_secrets(signing_pem, clock, form):
    static = parse_static_key("offline", public_pem(signing_pem, form))
    token = sign_token(JOHN, SigningKey("offline", signing_pem), valid_for=HOUR, clock=clock)
    trust = Trust((static,), use_secrets=False)
    validator = TokenValidator(replica_of(), clock=clock, user_trust=trust)
    assert validator.user(token) == JOHN


def test_a_static_key_of_a_mesh_is_for_that_mesh_alone(signing_pem, clock):
    static = parse_static_key("1", public_pem(signing_pem), mesh="default")
    trust = Trust((static,))
    validator = TokenValidator(replica_of(), clock=clock, dataplane_trust=trust)
    identity = DataplaneIdentity("default")
    token = sign_token(identity, SigningKey("1", signing_pem), valid_for=HOUR, clock=clock)
    assert validator.dataplane(token, mesh="default") == identity
    with pytest.raises(TokenRefused, match="is for the mesh"):
        validator.dataplane(token, mesh="other")
    with pytest.raises(TokenRefused, match="no signing key"):
        validator.user(token)


def test_secrets_do_not_count_when_the_settings_say_so(issuer, source, clock):
    token = issuer.user(JOHN, valid_for=HOUR)
    with pytest.raises(TokenRefused, match="no signing key"):
        TokenValidator(source, clock=clock, user_trust=Trust(use_secrets=False)).user(token)


def test_trust_comes_from_the_settings(signing_pem, clock, tmp_path):
    file = tmp_path / "public.pem"
    file.write_bytes(public_pem(signing_pem))
    keys = (
        PublicKey(kid="file", key_file=str(file)),
        PublicKey(kid="text", mesh="m", key=file.read_text()),
    )
    trust = load_trust(KeyValidator(use_secrets=False, public_keys=keys))
    found = [(each.kid, each.mesh) for each in trust.static_keys]
    assert (found, trust.use_secrets) == ([("file", ""), ("text", "m")], False)


def test_every_key_of_the_settings_that_cannot_be_used_is_named(tmp_path):
    keys = (
        PublicKey(kid="1", key_file=str(tmp_path / "none")),
        PublicKey(kid="2", key="rubbish"),
    )
    with pytest.raises(BadConfig) as refused:
        load_trust(KeyValidator(public_keys=keys))
    assert refused.value.problems == (
        f'public key "1": {tmp_path}/none: No such file or directory',
        'public key "2": not an RSA public key in PEM',
    )


def test_a_bad_static_key_is_named():
    with pytest.raises(BadKeyPair, match='public key "7": not an RSA public key'):
        parse_static_key("7", b"rubbish")


def test_a_federated_zone_validates_with_public_keys(issuer, signing_pem, clock):
    token = issuer.zone(ZoneIdentity("east", ("egress",)), valid_for=HOUR)
    public = SecretBytes(public_pem(signing_pem))
    source = replica_of(signing_key_secret(ZONE_PUBLIC_FAMILY, public, now=clock.now()))
    validator = TokenValidator(source, clock=clock, zone_family=ZONE_PUBLIC_FAMILY)
    assert validator.zone(token) == ZoneIdentity("east", ("egress",))


def test_hs256_counts_for_the_key_from_before_serials_alone(clock, signing_pem):
    der = parse_signing_key(signing_pem).private_bytes(
        Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )
    family = dataplane_family("default")
    source = replica_of(
        signing_key_secret(family, SecretBytes(der), now=clock.now(), serial=0),
        signing_key_secret(family, SecretBytes(b"k" * 32), now=clock.now(), serial=1),
    )
    validator = TokenValidator(source, clock=clock)
    old = jwt.encode({"Mesh": "default"}, der, algorithm="HS256", headers={"kid": "0"})
    assert validator.dataplane(old, mesh="default") == DataplaneIdentity("default")
    forged = jwt.encode({"Mesh": "default"}, b"k" * 32, algorithm="HS256", headers={"kid": "1"})
    with pytest.raises(TokenRefused, match="signature"):
        validator.dataplane(forged, mesh="default")


def test_a_public_key_is_no_hs256_secret(signing_pem, clock):
    static = parse_static_key("1", public_pem(signing_pem))
    validator = TokenValidator(replica_of(), clock=clock, user_trust=Trust((static,)))
    header, body = (_segment(each) for each in ({"alg": "HS256", "kid": "1"}, {"Name": "admin"}))
    token = f"{header}.{body}.{_hs256(f'{header}.{body}', public_pem(signing_pem))}"
    with pytest.raises(TokenRefused, match="no signing key"):
        validator.user(token)


def _hs256(text, key):
    return urlsafe_b64encode(hmac.digest(key, text.encode(), hashlib.sha256)).rstrip(b"=").decode()


def _segment(content):
    return urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def test_unsigned_tokens_are_refused(validator):
    token = f"{_segment({'alg': 'none', 'kid': '1'})}.{_segment({'Name': 'admin'})}."
    with pytest.raises(TokenRefused, match='unsupported token algorithm "none", must be RS256'):
        validator.user(token)


def test_a_token_must_name_its_key(signing_pem, validator):
    key = parse_signing_key(signing_pem)
    with pytest.raises(TokenRefused, match="must name its signing key in the header kid"):
        validator.user(jwt.encode({"Name": "a"}, key, algorithm="RS256"))


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ({"Name": 1}, "claim Name must be a string"),
        ({"Groups": "admins"}, "claim Groups must be a list of strings"),
        ({"Groups": [1]}, "claim Groups must be a list of strings"),
        ({"exp": "tomorrow"}, "claim exp must be a number"),
        ({"exp": 10**30}, "claim exp is out of range"),
        ({"jti": ["x"]}, "claim jti must be a string"),
    ],
)
def test_claims_of_the_wrong_type_are_refused(signing_pem, validator, claims, message):
    with pytest.raises(TokenRefused, match=message):
        validator.user(forged(signing_pem, claims))


def test_tags_are_the_same_in_any_order():
    tags = {"b": ["2", "1", "2"], "a": ["3"]}
    assert tag_values(tags) == (("a", ("3",)), ("b", ("1", "2")))


def test_tags_of_the_wrong_type_are_refused(signing_pem, validator):
    with pytest.raises(TokenRefused, match="claim Tags must be an object"):
        validator.dataplane(forged(signing_pem, {"Tags": ["a"]}), mesh="default")


def test_a_broken_secret_is_named(clock, issuer):
    token = issuer.user(JOHN, valid_for=HOUR)
    broken = replica_of(signing_key_secret(USER_FAMILY, SecretBytes(b"oops"), now=clock.now()))
    with pytest.raises(TokenRefused, match='"user-token-signing-key-1" cannot check tokens'):
        TokenValidator(broken, clock=clock).user(token)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda raw: raw.decode("latin-1")))
def test_rubbish_is_refused_and_never_crashes(validator, text):
    with pytest.raises(TokenRefused):
        validator.user(text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(st.data())
def test_no_changed_character_goes_unnoticed(issuer, validator, data):
    token = issuer.user(JOHN, valid_for=HOUR)
    start = token.rindex(".") + 1
    place = data.draw(st.integers(0, len(token) - 2).filter(lambda n: n != start - 1))
    other = data.draw(st.sampled_from("ABCxyz019-_.").filter(lambda c: c != token[place]))
    with pytest.raises(TokenRefused):
        validator.user(token[:place] + other + token[place + 1 :])


def test_one_kind_of_token_is_not_taken_for_another(issuer, validator, signing_pem, clock):
    """All of them are signed by one key here, so that the signature does not tell them apart."""
    admin = "mesh-system:admin"
    dataplane = issuer.dataplane(DataplaneIdentity("default", name=admin), valid_for=HOUR)
    zone = issuer.zone(ZoneIdentity("", ("ingress",)), valid_for=HOUR)
    user = issuer.user(UserIdentity(admin), valid_for=HOUR)
    with pytest.raises(TokenRefused, match="this is a dataplane token, a user token is needed"):
        validator.user(dataplane)
    with pytest.raises(TokenRefused, match="this is a zone token, a dataplane token is needed"):
        validator.dataplane(zone, mesh="default")
    with pytest.raises(TokenRefused, match="this is a user token, a zone token is needed"):
        validator.zone(user)


def test_who_was_believed_once_is_asked_again_each_time(issuer, validator, source, clock):
    expiring, revoked = (issuer.user(JOHN, valid_for=HOUR * each) for each in (1, 2))
    assert validator.user(expiring) == validator.user(revoked) == JOHN

    clock.advance(HOUR)
    with pytest.raises(TokenRefused, match="expired"):
        validator.user(expiring)

    assert validator.user(revoked) == JOHN
    source.changed(
        [
            _added(
                new_secret(
                    USER_FAMILY.revocations[0], claims_of(revoked)["jti"].encode(), now=clock.now()
                )
            )
        ]
    )
    with pytest.raises(TokenRefused, match="revoked"):
        validator.user(revoked)
