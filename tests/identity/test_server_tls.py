"""The control plane's own certificate, and contexts that follow their files: by real handshakes."""

import ssl
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from kuma.config.errors import BadConfig
from kuma.config.servers import ServerTls
from kuma.identity.addresses import local_addresses
from kuma.identity.admin_ca import (
    ADMIN_CA,
    admin_ca_secret,
    find_admin_ca,
    generate_admin_ca,
    issue_admin_client,
    issue_admin_server,
)
from kuma.identity.errors import BadKeyPair
from kuma.identity.issuer import Subject, issue
from kuma.identity.key_pair import KeyPair, certificate_to_pem, key_to_pem, load_authority
from kuma.identity.secret_source import new_secret
from kuma.identity.server_tls import (
    alternative_names,
    ensure_server_certificate,
    server_context,
)
from kuma.kit.clock import SystemClock
from tests.support.replicas import replica_of

NOW = SystemClock()


def ensure(folder, clock=NOW, hostname="host-a", addresses=("127.0.0.1", "::1")):
    return ensure_server_certificate(folder, hostname=hostname, addresses=addresses, clock=clock)


def settings_for(made, **more):
    return ServerTls(tls_cert_file=str(made.cert_file), tls_key_file=str(made.key_file), **more)


def handshake(server, ca_file, name, *, alpn=(), client=None):
    """Talk TLS in memory; the client's view of the connection. Raises ssl.SSLError."""
    context = ssl.create_default_context(cafile=str(ca_file))
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if client:
        context.load_cert_chain(*client)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = context.wrap_bio(to_client, to_server, server_hostname=name)
    far = server.wrap_bio(to_server, to_client, server_side=True)
    pending = [near, far]
    while pending:
        for side in tuple(pending):
            try:
                side.do_handshake()
                pending.remove(side)
            except ssl.SSLWantReadError:
                continue
    return near, far


def test_a_fresh_certificate_is_for_this_machine_and_a_ca(tmp_path):
    made = ensure(tmp_path / "work")
    (certificate,) = x509.load_pem_x509_certificates(made.cert_file.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["host-a", "localhost"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert stat.S_IMODE(made.key_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.key_file.parent.stat().st_mode) == 0o700
    assert made.cert_file.name == "kuma-cp.crt"
    assert sorted(each.name for each in made.cert_file.parent.iterdir()) == [
        "kuma-cp.crt",
        "kuma-cp.key",
    ]


@pytest.mark.parametrize("name", ["host-a", "localhost", "127.0.0.1", "::1"])
def test_clients_that_trust_it_can_connect_by_every_name(tmp_path, name):
    made = ensure(tmp_path)
    near, _ = handshake(server_context(settings_for(made)), made.cert_file, name)
    assert near.version() == "TLSv1.3"


def test_it_is_reused_after_a_restart(tmp_path):
    before = ensure(tmp_path).cert_file.read_bytes()
    assert ensure(tmp_path, addresses=("10.0.0.9",)).cert_file.read_bytes() == before


def test_a_new_hostname_is_added_and_old_trust_holds(tmp_path):
    made = ensure(tmp_path)
    trusted = tmp_path / "trusted-by-proxies.crt"
    trusted.write_bytes(made.cert_file.read_bytes())
    key = made.key_file.read_bytes()

    for hostname in ("host-b", "host-c"):
        ensure(tmp_path, hostname=hostname)
        server = server_context(settings_for(made))
        handshake(server, trusted, hostname)
        handshake(server, made.cert_file, hostname)

    assert made.key_file.read_bytes() == key
    assert len(x509.load_pem_x509_certificates(made.cert_file.read_bytes())) == 2


def test_an_expired_one_is_replaced(tmp_path, clock):
    before = ensure(tmp_path, clock).cert_file.read_bytes()
    clock.advance(timedelta(days=3649))
    assert ensure(tmp_path, clock).cert_file.read_bytes() == before
    clock.advance(timedelta(days=1))
    assert ensure(tmp_path, clock).cert_file.read_bytes() != before


def test_somebody_elses_certificate_is_left_alone(tmp_path, root):
    (tmp_path / "kuma-cp.crt").write_bytes(root.cert_pem)
    (tmp_path / "kuma-cp.key").write_bytes(root.key.reveal)
    made = ensure(tmp_path)
    assert made.cert_file.read_bytes() == root.cert_pem


def test_one_that_has_expired_is_replaced_although_its_authority_has_not(tmp_path, root, clock):
    subject = Subject("default", ("web",), ())
    made = issue(load_authority(root), subject, clock=clock, lifetime=timedelta(hours=1))
    chain = made.chain_pem + root.cert_pem
    (tmp_path / "kuma-cp.crt").write_bytes(chain)
    (tmp_path / "kuma-cp.key").write_bytes(made.key.reveal)
    assert ensure(tmp_path, clock).cert_file.read_bytes() == chain
    clock.advance(timedelta(hours=2))
    assert ensure(tmp_path, clock).cert_file.read_bytes() != chain


@pytest.mark.parametrize("broken", ["kuma-cp.crt", "kuma-cp.key"])
def test_a_broken_or_missing_half_is_replaced(tmp_path, broken):
    made = ensure(tmp_path)
    (tmp_path / broken).write_bytes(b"rubbish")
    handshake(server_context(settings_for(ensure(tmp_path))), made.cert_file, "localhost")
    (tmp_path / broken).unlink()
    handshake(server_context(settings_for(ensure(tmp_path))), made.cert_file, "localhost")


def test_a_work_directory_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadConfig, match=r"general.workDir: cannot keep a certificate in .*/file"):
        ensure(tmp_path / "file")


def certificate_seen(server, folder):
    near, _ = handshake(server, folder / "all.crt", "localhost")
    return near.getpeercert(binary_form=True)


def two_generations(tmp_path) -> tuple[Path, Path]:
    """Certificates of two work directories, and a file that trusts both."""
    first, second = (ensure(tmp_path / each) for each in ("one", "two"))
    both = first.cert_file.read_bytes() + second.cert_file.read_bytes()
    (tmp_path / "all.crt").write_bytes(both)
    return first, second


def test_a_replaced_certificate_is_served_from_the_next_handshake(tmp_path):
    first, second = two_generations(tmp_path)
    server = server_context(settings_for(first))
    server.set_alpn_protocols(["h2"])
    before = certificate_seen(server, tmp_path)
    second.key_file.replace(first.key_file)
    second.cert_file.replace(first.cert_file)
    after = certificate_seen(server, tmp_path)
    assert before != after
    near, _ = handshake(server, tmp_path / "all.crt", "localhost", alpn=["h2", "http/1.1"])
    assert near.selected_alpn_protocol() == "h2"


def test_a_key_of_another_type_takes_over_entirely(tmp_path):
    """An SSLContext would go on offering the elliptic curve certificate beside the RSA one."""
    made = ensure(tmp_path)
    server = server_context(settings_for(made))
    rsa_pair = _rsa_server()
    made.key_file.write_bytes(rsa_pair.key.reveal)
    made.cert_file.write_bytes(rsa_pair.cert_pem)
    (tmp_path / "all.crt").write_bytes(rsa_pair.cert_pem)
    seen = x509.load_der_x509_certificate(certificate_seen(server, tmp_path))
    assert isinstance(seen.public_key(), rsa.RSAPublicKey)


def _rsa_server():
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name.from_rfc4514_string("CN=rsa")
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW.now() - timedelta(minutes=1))
        .not_valid_after(NOW.now() + timedelta(days=1))
        .add_extension(alternative_names(("localhost",)), critical=False)
        .add_extension(x509.BasicConstraints(True, None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return KeyPair(certificate_to_pem(made), key_to_pem(key))


def test_half_a_replacement_leaves_the_last_certificate_in_force(tmp_path):
    first, second = two_generations(tmp_path)
    server = server_context(settings_for(first))
    before = certificate_seen(server, tmp_path)
    second.cert_file.replace(first.cert_file)
    assert certificate_seen(server, tmp_path) == before
    first.cert_file.unlink()
    assert certificate_seen(server, tmp_path) == before


@pytest.mark.parametrize("wrong", ["missing", "rubbish", "other-key"])
def test_files_that_cannot_be_used_stop_the_start(tmp_path, wrong):
    first, second = two_generations(tmp_path)
    if wrong == "missing":
        first.key_file.unlink()
    elif wrong == "rubbish":
        first.cert_file.write_text("rubbish")
    else:
        second.key_file.replace(first.key_file)
    with pytest.raises(BadConfig, match=r"kuma-cp.crt, .*kuma-cp.key: \w+"):
        server_context(settings_for(first))


def test_an_encrypted_key_is_refused_without_a_question(tmp_path):
    key = rsa.generate_private_key(65537, 2048)
    made = ensure(tmp_path)
    made.key_file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    )
    with pytest.raises(BadConfig, match="the key is encrypted"):
        server_context(settings_for(made))


def test_tls_versions_and_cipher_suites_are_obeyed(tmp_path):
    made = ensure(tmp_path)
    suite = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
    limits = settings_for(made, tls_max_version="TLSv1_2", tls_cipher_suites=(suite,))
    near, _ = handshake(server_context(limits), made.cert_file, "localhost")
    assert near.version() == "TLSv1.2"
    assert near.cipher()[0] == "ECDHE-ECDSA-AES256-GCM-SHA384"


def test_clients_may_or_must_show_a_certificate(tmp_path):
    made = ensure(tmp_path)
    authority = load_authority(generate_admin_ca(NOW))
    (tmp_path / "clients.crt").write_bytes(authority.bundle_pem)
    pair = issue_admin_client(authority, clock=NOW)
    (tmp_path / "client.crt").write_bytes(pair.cert_pem)
    (tmp_path / "client.key").write_bytes(pair.key.reveal)
    client = (tmp_path / "client.crt", tmp_path / "client.key")
    ca = str(tmp_path / "clients.crt")

    optional = server_context(settings_for(made), client_ca_file=ca)
    _, far = handshake(optional, made.cert_file, "localhost", client=client)
    assert ("DNS", "kuma-cp") in far.getpeercert()["subjectAltName"]
    _, far = handshake(optional, made.cert_file, "localhost")
    assert not far.getpeercert()

    required = server_context(settings_for(made), client_ca_file=ca, require_client_cert=True)
    with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        handshake(required, made.cert_file, "localhost")


def test_loopback_comes_first_among_the_addresses_of_this_machine():
    found = local_addresses()
    assert found[:2] == ("127.0.0.1", "::1")
    assert len(found) == len(set(found))
    assert "0.0.0.0" not in found


def test_the_admin_ca_is_found_again_in_its_secret(clock):
    pair = generate_admin_ca(clock)
    secret = admin_ca_secret(pair, now=clock.now())
    assert str(secret.key) == 'GlobalSecret "envoy-admin-ca"'
    found = find_admin_ca(replica_of(secret))
    assert found.bundle_pem == pair.cert_pem
    assert found.key.private_numbers() == load_authority(pair).key.private_numbers()


def test_without_the_secret_there_is_no_admin_ca(clock):
    assert find_admin_ca(replica_of()) is None
    broken = new_secret(ADMIN_CA, b"rubbish", now=clock.now())
    with pytest.raises(BadKeyPair, match="must hold a certificate and its key"):
        find_admin_ca(replica_of(broken))


def test_the_control_plane_reaches_a_proxys_admin_listener(tmp_path):
    """Both sides check each other, as Envoy and the control plane do."""
    authority = load_authority(generate_admin_ca(NOW))
    server = issue_admin_server(authority, ("10.0.0.1", "web.internal"), clock=NOW)
    client = issue_admin_client(authority, clock=NOW)
    for name, content in {
        "ca.crt": authority.bundle_pem,
        "server.crt": server.cert_pem,
        "server.key": server.key.reveal,
        "client.crt": client.cert_pem,
        "client.key": client.key.reveal,
    }.items():
        (tmp_path / name).write_bytes(content)
    listener = server_context(
        ServerTls(
            tls_cert_file=str(tmp_path / "server.crt"), tls_key_file=str(tmp_path / "server.key")
        ),
        client_ca_file=str(tmp_path / "ca.crt"),
        require_client_cert=True,
    )
    own = (tmp_path / "client.crt", tmp_path / "client.key")
    for name in ("10.0.0.1", "web.internal"):
        _, far = handshake(listener, tmp_path / "ca.crt", name, client=own)
        assert ("DNS", "kuma-cp") in far.getpeercert()["subjectAltName"]
    wrong = (tmp_path / "server.crt", tmp_path / "server.key")
    with pytest.raises(ssl.SSLError):
        handshake(listener, tmp_path / "ca.crt", "10.0.0.1", client=wrong)
