"""Workload certificates, verified by OpenSSL where chains matter."""

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kuma.identity.builtin import (
    cert_secret_key,
    generate_root,
    key_secret_key,
    secrets_for,
)
from kuma.identity.errors import BadKeyPair, NoIdentity
from kuma.identity.issuer import Subject, issue, renew_at, workload_subject
from kuma.identity.key_pair import (
    CertificateAuthority,
    KeyPair,
    build_root,
    certificate_to_pem,
    key_to_pem,
    load_authority,
)
from kuma.identity.secret_source import secret_data
from kuma.kit.clock import ManualClock
from kuma.plan.secret import SecretBytes

WEB = Subject(
    "default", ("web", "web-api"), (("kuma.io/service", "web"), ("kuma.io/service", "web-api"))
)


def openssl_verify(tmp_path: Path, bundle: bytes, chain: bytes, at: ManualClock) -> str:
    (tmp_path / "ca.pem").write_bytes(bundle)
    (tmp_path / "leaf.pem").write_bytes(chain)
    command = ["openssl", "verify", "-x509_strict", "-CAfile", "ca.pem", "-untrusted", "leaf.pem"]
    command += ["-purpose", "sslserver", "-attime", str(int(at.now().timestamp())), "leaf.pem"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    return run.stdout.strip() or run.stderr


def test_openssl_accepts_an_issued_certificate(tmp_path, authority, clock):
    issued = issue(authority, WEB, clock=clock)
    answer = openssl_verify(tmp_path, authority.bundle_pem, issued.chain_pem, clock)
    assert answer == "leaf.pem: OK"


def test_a_certificate_of_another_mesh_is_not_accepted(tmp_path, authority, clock):
    stranger = load_authority(generate_root("other", clock=clock))
    issued = issue(stranger, WEB, clock=clock)
    answer = openssl_verify(tmp_path, authority.bundle_pem, issued.chain_pem, clock)
    assert "unable to get local issuer certificate" in answer


def test_an_intermediate_ca_sends_what_leads_to_the_root(tmp_path, root, clock):
    upper = load_authority(root)
    key = ec.generate_private_key(ec.SECP256R1())
    made = build_root(
        key,
        subject=x509.Name.from_rfc4514_string("CN=lower"),
        uri=None,
        not_before=clock.now(),
        not_after=clock.now() + timedelta(days=1),
    )
    signed = _signed_by(upper, made)
    pair = KeyPair(certificate_to_pem(signed) + root.cert_pem, key_to_pem(key))

    issued = issue(load_authority(pair), WEB, clock=clock)

    assert openssl_verify(tmp_path, root.cert_pem, issued.chain_pem, clock) == "leaf.pem: OK"


def _signed_by(upper: CertificateAuthority, made: x509.Certificate) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(made.subject)
        .issuer_name(upper.certificate.subject)
        .public_key(made.public_key())
        .serial_number(made.serial_number)
        .not_valid_before(made.not_valid_before_utc)
        .not_valid_after(made.not_valid_after_utc)
    )
    for extension in made.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    upper_key_id = upper.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(upper_key_id.value),
        critical=False,
    )
    return builder.sign(upper.key, hashes.SHA256())


def test_the_names_are_the_services_and_then_all_tags(authority, clock):
    subject = workload_subject(
        "default",
        [
            {"kuma.io/service": "web", "version": "1"},
            {"kuma.io/service": "api", "version": "1", "kuma.io/zone": "east"},
        ],
        labels={},
    )
    (leaf,) = x509.load_pem_x509_certificates(issue(authority, subject, clock=clock).chain_pem)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.critical
    assert names.value.get_values_for_type(x509.UniformResourceIdentifier) == [
        "spiffe://default/api",
        "spiffe://default/web",
        "kuma://kuma.io/service/api",
        "kuma://kuma.io/service/web",
        "kuma://kuma.io/zone/east",
        "kuma://version/1",
    ]
    assert leaf.subject == x509.Name([])


def test_without_a_service_tag_the_workload_label_identifies():
    subject = workload_subject("m", [{"version": "1"}], labels={"kuma.io/workload": "backend"})
    assert subject.uris() == ("spiffe://m/backend", "kuma://kuma.io/service/backend")


def test_without_tags_and_label_there_is_no_identity():
    with pytest.raises(NoIdentity, match=r"neither a tag kuma.io/service nor a label"):
        workload_subject("default", [{}], labels={})


def test_key_and_certificate_belong_together(authority, clock):
    issued = issue(authority, WEB, clock=clock)
    (leaf,) = x509.load_pem_x509_certificates(issued.chain_pem)
    key = load_pem_private_key(issued.key.reveal, password=None)
    assert key.public_key() == leaf.public_key()
    assert leaf.serial_number == issued.serial
    assert (leaf.not_valid_before_utc, leaf.not_valid_after_utc) == (
        issued.not_before,
        issued.not_after,
    )


def test_a_key_never_shows_in_a_repr(authority, clock):
    issued = issue(authority, WEB, clock=clock)
    assert "PRIVATE" not in repr(issued)
    assert "redacted" in repr(issued)


def test_it_is_valid_from_ten_seconds_ago_for_its_lifetime(authority, clock):
    issued = issue(authority, WEB, clock=clock, lifetime=timedelta(hours=1))
    assert issued.not_before == clock.now() - timedelta(seconds=10)
    assert issued.not_after == clock.now() + timedelta(hours=1)


def test_it_is_renewed_after_four_fifths_of_its_lifetime(authority, clock):
    issued = issue(authority, WEB, clock=clock, lifetime=timedelta(seconds=100))
    assert renew_at(issued) == clock.now() + timedelta(seconds=80)


def test_every_certificate_has_its_own_key_and_serial(authority, clock):
    first, second = (issue(authority, WEB, clock=clock) for _ in range(2))
    assert first.key != second.key
    assert first.serial != second.serial


def test_the_root_is_a_ca_that_names_its_mesh(root, clock):
    (certificate,) = x509.load_pem_x509_certificates(root.cert_pem)
    extensions = certificate.extensions
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert usage.key_cert_sign
    assert usage.crl_sign
    assert not usage.key_agreement
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://default"]
    assert certificate.subject.rfc4514_string() == "CN=default,OU=Mesh,O=Kuma"
    assert certificate.not_valid_before_utc == clock.now() - timedelta(seconds=10)
    assert certificate.not_valid_after_utc == clock.now() + timedelta(days=3650)
    assert certificate.public_key().key_size == 2048
    assert root.key.reveal.startswith(b"-----BEGIN RSA PRIVATE KEY-----")


def test_bits_and_expiration_of_the_root_can_be_chosen(clock):
    pair = generate_root("default", clock=clock, rsa_bits=3072, expiration=timedelta(days=1))
    (certificate,) = x509.load_pem_x509_certificates(pair.cert_pem)
    assert certificate.public_key().key_size == 3072
    assert certificate.not_valid_after_utc == clock.now() + timedelta(days=1)


def test_the_root_is_kept_in_two_secrets(root, clock):
    cert, key = secrets_for("default", "ca-1", pair=root, now=clock.now())
    assert cert.key == cert_secret_key("default", "ca-1")
    assert cert.name == "default.ca-builtin-cert-ca-1"
    assert key.key == key_secret_key("default", "ca-1")
    assert key.name == "default.ca-builtin-key-ca-1"
    assert (secret_data(cert), secret_data(key)) == (root.cert_pem, root.key.reveal)


@pytest.mark.parametrize(
    ("cert", "key", "message"),
    [
        (b"rubbish", None, "the certificate is not PEM"),
        (None, b"rubbish", "the key is not an unencrypted PEM key"),
    ],
)
def test_an_unusable_authority_says_why(root, cert, key, message):
    pair = KeyPair(cert or root.cert_pem, SecretBytes(key) if key else root.key)
    with pytest.raises(BadKeyPair, match=message):
        load_authority(pair)


def test_an_authority_needs_the_key_of_its_certificate(root, signing_pem):
    with pytest.raises(BadKeyPair, match="private key does not match public key"):
        load_authority(KeyPair(root.cert_pem, signing_pem))
