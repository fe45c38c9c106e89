"""The CA of Envoy's admin interface: who it signs for is believed by who trusts its root alone."""

import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from kuma.identity.admin_ca import (
    CLIENT_NAME,
    admin_ca_secret,
    find_admin_ca,
    generate_admin_ca,
    issue_admin_client,
    issue_admin_server,
    signing_authority,
)
from kuma.identity.key_pair import (
    TEN_YEARS,
    CertificateAuthority,
    KeyPair,
    certificate_to_pem,
    key_to_pem,
    key_usage,
    load_authority,
    parse_certificates,
    signing_hash,
    unsigned,
)
from kuma.kit.clock import SystemClock
from kuma.resources.replica import Replica
from kuma.resources.store import Change

CLOCK = SystemClock()
ADDRESS = "127.0.0.1"


@pytest.fixture(scope="module")
def made() -> CertificateAuthority:
    """As it is stored and read again."""
    replica = Replica()
    secret = admin_ca_secret(generate_admin_ca(CLOCK), now=CLOCK.now())
    replica.changed([Change(secret.key, secret)])
    found = find_admin_ca(replica)
    assert found is not None
    return found


def a_root(*, path_length: int | None, is_rsa: bool) -> CertificateAuthority:
    """One that a user brought."""
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    key = (
        rsa.generate_private_key(65537, 2048) if is_rsa else ec.generate_private_key(ec.SECP256R1())
    )
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mine")])
    now = CLOCK.now()
    root = (
        unsigned(key, subject=name, issuer=name, not_before=now, not_after=now + TEN_YEARS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(key_usage(key_cert_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, signing_hash(key))
    )
    return load_authority(KeyPair(certificate_to_pem(root), key_to_pem(key)))


def handshake(
    root: CertificateAuthority, server: KeyPair, client: KeyPair, directory: Path
) -> ssl.SSLObject:
    """The client's side of a connection on which both want to see a certificate."""
    contexts = []
    for purpose, pair in ((ssl.Purpose.CLIENT_AUTH, server), (ssl.Purpose.SERVER_AUTH, client)):
        context = ssl.create_default_context(purpose, cadata=root.bundle_pem.decode())
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        file = directory / "pair.pem"
        file.write_bytes(pair.cert_pem + pair.key.reveal)
        context.load_cert_chain(file)
        contexts.append(context)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = contexts[0].wrap_bio(to_server, to_client, server_side=True)
    other = contexts[1].wrap_bio(to_client, to_server, server_hostname=ADDRESS)
    for side in (other, one, other, one):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return other


def test_both_sides_believe_each_other_by_the_stored_root(
    made: CertificateAuthority, tmp_path: Path
) -> None:
    """Whichever instance signed for which, and whenever it started."""
    one, other = (signing_authority(made, clock=CLOCK) for _ in range(2))
    server = issue_admin_server(one, (ADDRESS,), clock=CLOCK)
    client = issue_admin_client(other, clock=CLOCK)

    assert handshake(made, server, client, tmp_path).version() == "TLSv1.3"


def test_who_was_signed_by_the_root_itself_is_still_believed(
    made: CertificateAuthority, tmp_path: Path
) -> None:
    server = issue_admin_server(made, (ADDRESS,), clock=CLOCK)
    client = issue_admin_client(signing_authority(made, clock=CLOCK), clock=CLOCK)

    assert handshake(made, server, client, tmp_path).version() == "TLSv1.3"


def test_another_root_is_not_believed(made: CertificateAuthority, tmp_path: Path) -> None:
    other = a_root(path_length=None, is_rsa=False)
    server = issue_admin_server(signing_authority(made, clock=CLOCK), (ADDRESS,), clock=CLOCK)
    client = issue_admin_client(other, clock=CLOCK)

    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(other, server, client, tmp_path)


def test_the_signer_can_do_no_more_than_sign_and_lives_no_longer(
    made: CertificateAuthority,
) -> None:
    signer = signing_authority(made, clock=CLOCK)
    known = signer.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value

    assert isinstance(signer.key, ec.EllipticCurvePrivateKey)
    assert (known.ca, known.path_length) == (True, 0)
    assert signer.not_after == made.not_after
    assert signer.bundle_pem == made.bundle_pem


@pytest.mark.parametrize(("path_length", "is_rsa"), [(0, True), (None, False)])
def test_a_root_that_forbids_it_or_is_fast_signs_itself(
    path_length: int | None, is_rsa: bool, tmp_path: Path
) -> None:
    root = a_root(path_length=path_length, is_rsa=is_rsa)
    signer = signing_authority(root, clock=CLOCK)
    server = issue_admin_server(signer, (ADDRESS,), clock=CLOCK)
    client = issue_admin_client(signer, clock=CLOCK)

    assert signer is root
    assert len(parse_certificates(server.cert_pem)) == 1
    assert handshake(root, server, client, tmp_path).version() == "TLSv1.3"


def test_the_name_of_the_client_is_the_one_that_proxies_ask_for(
    made: CertificateAuthority,
) -> None:
    client = issue_admin_client(signing_authority(made, clock=CLOCK), clock=CLOCK)
    leaf = parse_certificates(client.cert_pem)[0]
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    assert names.get_values_for_type(x509.DNSName) == [CLIENT_NAME]
