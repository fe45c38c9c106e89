import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kuma.identity.errors import BadKeyPair, NoSigningKey
from kuma.identity.key_pair import key_to_pem
from kuma.identity.signing_keys import (
    USER_FAMILY,
    ZONE_FAMILY,
    dataplane_family,
    has_signing_key,
    latest_signing_key,
    parse_public_key,
    parse_signing_key,
    signing_key_secret,
)
from kuma.plan.secret import SecretBytes
from tests.support.replicas import replica_of


def secret(clock, family, serial, key=b"key"):
    return signing_key_secret(family, SecretBytes(key), now=clock.now(), serial=serial)


def test_names_carry_family_and_serial(clock):
    names = {
        str(secret(clock, family, 3).key)
        for family in (USER_FAMILY, ZONE_FAMILY, dataplane_family("m"))
    }
    assert names == {
        'GlobalSecret "user-token-signing-key-3"',
        'GlobalSecret "zone-token-signing-key-3"',
        'Secret "dataplane-token-signing-key-m-3" of mesh "m"',
    }


def test_the_key_with_the_highest_serial_signs(clock):
    source = replica_of(*(secret(clock, USER_FAMILY, n, b"key %d" % n) for n in (9, 10, 1)))
    key = latest_signing_key(source, USER_FAMILY)
    assert (key.kid, key.pem) == ("10", SecretBytes(b"key 10"))


def test_a_key_from_before_serials_has_serial_zero(clock):
    source = replica_of(secret(clock, USER_FAMILY, 0))
    assert source.find(USER_FAMILY.key_of("0")).name == "user-token-signing-key"
    assert latest_signing_key(source, USER_FAMILY).kid == "0"


def test_other_secrets_and_other_meshes_are_no_keys(clock):
    source = replica_of(
        secret(clock, dataplane_family("other"), 5),
        secret(clock, USER_FAMILY, 5),
        signing_key_secret(USER_FAMILY, SecretBytes(b"x"), now=clock.now(), serial="one"),
    )
    assert not has_signing_key(source, dataplane_family("default"))
    assert not has_signing_key(source, ZONE_FAMILY)
    assert latest_signing_key(source, USER_FAMILY).kid == "5"


def test_a_missing_key_is_named():
    with pytest.raises(NoSigningKey, match='KID 1: GlobalSecret "zone-token-signing-key-1"'):
        latest_signing_key(replica_of(), ZONE_FAMILY)


def test_keys_are_read_from_pem_and_from_bare_pkcs1(signing_pem):
    key = parse_signing_key(signing_pem)
    der = key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    assert parse_signing_key(SecretBytes(der)).public_key() == key.public_key()


@pytest.mark.parametrize("data", [b"", b"rubbish", b"-----BEGIN RSA PRIVATE KEY-----\nMII\n"])
def test_rubbish_is_no_signing_key(data):
    with pytest.raises(BadKeyPair, match="not an RSA private key in PEM"):
        parse_signing_key(SecretBytes(data))


def test_an_elliptic_curve_key_is_no_signing_key():
    with pytest.raises(BadKeyPair, match="must be an RSA private key"):
        parse_signing_key(key_to_pem(ec.generate_private_key(ec.SECP256R1())))


def test_rubbish_is_no_public_key():
    with pytest.raises(BadKeyPair, match="not an RSA public key"):
        parse_public_key(b"rubbish")
