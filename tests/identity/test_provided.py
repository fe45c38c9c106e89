"""The provided CA: where it comes from, and what it must be."""

import base64
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from kuma.identity.builtin import generate_root
from kuma.identity.errors import BadKeyPair
from kuma.identity.issuer import Subject, issue
from kuma.identity.key_pair import KeyPair, certificate_to_pem, key_to_pem, load_authority
from kuma.identity.provided import ca_violations, load_provided, provided_violations
from kuma.identity.secret_source import new_secret, secret_key
from kuma.plan.secret import SecretBytes
from kuma.resources.kinds.mesh.model import ProvidedConf
from kuma.resources.violation import Violation
from tests.support.replicas import replica_of

CA = "basic constraint 'CA' must be set to 'true' (see X509-SVID: 4.1. Basic Constraints)"
SIGN = "key usage extension 'keyCertSign' must be set (see X509-SVID: 4.3. Key Usage)"
AGREE = (
    "key usage extension 'keyAgreement' must NOT be set "
    "(see X509-SVID: Appendix A. X.509 Field Reference)"
)


def a_pair(clock, *, ca=True, cert_sign=True, agreement=False, bare=False):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string("CN=mine")
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(clock.now())
        .not_valid_after(clock.now() + timedelta(days=1))
    )
    if not bare:
        usage = x509.KeyUsage(True, False, False, False, agreement, cert_sign, False, False, False)
        builder = builder.add_extension(usage, critical=True)
        builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
    return KeyPair(certificate_to_pem(builder.sign(key, hashes.SHA256())), key_to_pem(key))


def conf(**parts):
    return ProvidedConf.model_validate(parts)


def test_a_ca_of_the_user_signs_workload_certificates(clock):
    pair = a_pair(clock)
    assert ca_violations(pair) == ()
    subject = Subject("default", ("web",), ())
    issued = issue(load_authority(pair), subject, clock=clock)
    root, leaf = (x509.load_pem_x509_certificate(pem) for pem in (pair.cert_pem, issued.chain_pem))
    leaf.verify_directly_issued_by(root)


def test_each_kind_of_source_leads_to_the_same_pair(tmp_path, clock):
    pair = a_pair(clock)
    (tmp_path / "cert.pem").write_bytes(pair.cert_pem)
    secrets = replica_of(
        new_secret(secret_key("default", "my-key"), pair.key.reveal, now=clock.now())
    )
    certs = [
        {"file": str(tmp_path / "cert.pem")},
        {"inline": base64.b64encode(pair.cert_pem).decode()},
        {"inlineString": pair.cert_pem.decode()},
    ]
    for cert in certs:
        found = conf(cert=cert, key={"secret": "my-key"})
        assert load_provided(found, mesh="default", secrets=secrets) == pair
        assert provided_violations(found, mesh="default", secrets=secrets) == ()


@pytest.mark.parametrize(
    ("wrong", "messages"),
    [
        ({"ca": False}, [CA]),
        ({"cert_sign": False}, [SIGN]),
        ({"agreement": True}, [AGREE]),
        ({"ca": False, "cert_sign": False, "agreement": True}, [CA, SIGN, AGREE]),
        ({"bare": True}, [CA, SIGN]),
    ],
)
def test_a_certificate_that_is_no_ca_is_refused_with_every_reason(clock, wrong, messages):
    found = ca_violations(a_pair(clock, **wrong))
    assert found == tuple(Violation("cert[0]", message) for message in messages)


def test_each_certificate_of_the_chain_is_looked_at(clock, root):
    bad = a_pair(clock, ca=False)
    pair = KeyPair(root.cert_pem + bad.cert_pem, root.key)
    assert ca_violations(pair) == (Violation("cert[1]", CA),)


def test_a_key_of_another_certificate_is_refused(clock):
    pair = KeyPair(a_pair(clock).cert_pem, a_pair(clock).key)
    message = "not a valid TLS key pair: private key does not match public key"
    assert ca_violations(pair) == (Violation("cert", message),)


@pytest.mark.parametrize("form", ["rubbish", "encrypted", "dsa"])
def test_a_key_that_cannot_be_used_is_refused(clock, form):
    pair = a_pair(clock)
    pems = {
        "rubbish": b"rubbish",
        "encrypted": ec.generate_private_key(ec.SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
        ),
        "dsa": dsa.generate_private_key(1024).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ),
    }
    (found,) = ca_violations(KeyPair(pair.cert_pem, SecretBytes(pems[form])))
    assert found.field == "cert"
    assert found.message.startswith("not a valid TLS key pair: the key")


def test_sources_that_lead_nowhere_are_named(tmp_path):
    found = conf(cert={"secret": "missing"}, key={"file": str(tmp_path / "none")})
    assert provided_violations(found, mesh="default", secrets=replica_of()) == (
        Violation("cert", 'could not load data: Secret "missing" of mesh "default" is not found'),
        Violation("key", f"could not load data: {tmp_path}/none: No such file or directory"),
    )
    with pytest.raises(BadKeyPair, match='Secret "missing"'):
        load_provided(found, mesh="default", secrets=replica_of())


@pytest.mark.parametrize("half", [{}, {"cert": {}}, {"cert": {"inlineString": "x"}}])
def test_a_half_that_is_not_there_is_for_the_mesh_to_tell(half):
    assert provided_violations(conf(**half), mesh="default", secrets=replica_of()) == ()


def test_what_the_sources_hold_is_looked_at(clock, root):
    other = generate_root("default", clock=clock)
    found = conf(
        cert={"inlineString": root.cert_pem.decode()},
        key={"inlineString": other.key.reveal.decode()},
    )
    (violation,) = provided_violations(found, mesh="default", secrets=replica_of())
    assert violation.message.startswith("not a valid TLS key pair")


def test_a_secret_of_another_mesh_is_out_of_reach(clock):
    secrets = replica_of(new_secret(secret_key("other", "cert"), b"x", now=clock.now()))
    found = conf(cert={"secret": "cert"}, key={"inlineString": "x"})
    (violation,) = provided_violations(found, mesh="default", secrets=secrets)
    assert violation.field == "cert"


def test_a_missing_half_cannot_be_loaded():
    with pytest.raises(BadKeyPair, match="needs both cert and key"):
        load_provided(conf(cert={"inlineString": "x"}), mesh="default", secrets=replica_of())
