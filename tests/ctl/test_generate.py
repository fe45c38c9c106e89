import ssl
from base64 import b64decode
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from kuma.identity.errors import TokenRefused
from kuma.identity.key_pair import is_key_of, parse_certificates, parse_private_key
from kuma.identity.signing_keys import USER_FAMILY, parse_signing_key, signing_key_secret
from kuma.identity.static_keys import Trust, parse_static_key
from kuma.identity.token_validator import TokenValidator
from kuma.identity.tokens import (
    DataplaneIdentity,
    UserIdentity,
    ZoneIdentity,
)
from kuma.plan.secret import SecretBytes
from kuma.resources.replica import Replica
from tests.ctl.cli import Shell
from tests.ctl.running_api import RunningApi

USER = ("generate", "user-token", "--name=john", "--group=a", "--group", "b,c", "--valid-for=1h")


@pytest.fixture
def key_file(tmp_path: Path, signing_key: bytes) -> Path:
    file = tmp_path / "key.pem"
    file.write_bytes(signing_key)
    return file


@pytest.fixture
def validator(shell: Shell, key_file: Path) -> TokenValidator:
    """Knows the public key alone, as `kumactl generate public-key` tells it."""
    public = shell.out("generate", "public-key", "--signing-key-path", str(key_file))
    trust = Trust((parse_static_key("7", public.encode()),), use_secrets=False)
    return TokenValidator(
        Replica(), clock=shell.clock, dataplane_trust=trust, zone_trust=trust, user_trust=trust
    )


def offline(shell: Shell, key_file: Path, *arguments: str) -> str:
    return shell.out(*arguments, "--signing-key-path", str(key_file), "--kid=7")


def test_a_user_token_is_signed_offline(
    shell: Shell, key_file: Path, validator: TokenValidator
) -> None:
    token = offline(shell, key_file, *USER)
    assert validator.user(token) == UserIdentity("john", ("a", "b", "c"))
    shell.clock.advance(timedelta(hours=1))
    with pytest.raises(TokenRefused, match="expired"):
        validator.user(token)


def test_a_dataplane_token_is_signed_offline(
    shell: Shell, key_file: Path, validator: TokenValidator
) -> None:
    token = offline(
        shell, key_file, "generate", "dataplane-token", "--mesh", "m-1", "--name", "dp-1",
        "--tag=kuma.io/service=web,api", "--tag", "version=1", "--proxy-type=dataplane",
        "--workload=w", "--valid-for=24h",
    )  # fmt: skip
    assert validator.dataplane(token, mesh="m-1") == DataplaneIdentity(
        "m-1",
        "dp-1",
        (("kuma.io/service", ("api", "web")), ("version", ("1",))),
        "dataplane",
        "w",
    )


@pytest.mark.parametrize(
    ("arguments", "scope"),
    [([], ("ingress", "egress")), (["--scope=egress"], ("egress",))],
)
def test_a_zone_token_is_signed_offline(
    arguments: list[str],
    scope: tuple[str, ...],
    shell: Shell,
    key_file: Path,
    validator: TokenValidator,
) -> None:
    given = ("generate", "zone-token", "--zone=east", "--valid-for=1h", *arguments)
    assert validator.zone(offline(shell, key_file, *given)) == ZoneIdentity("east", scope)


def test_the_control_plane_signs_what_is_asked_for(
    api: RunningApi, shell: Shell, signing_key: bytes
) -> None:
    now = shell.clock.now()
    api.add(signing_key_secret(USER_FAMILY, SecretBytes(signing_key), now=now))
    validator = TokenValidator(api.control_plane.replica, clock=shell.clock)
    assert validator.user(shell.out(*USER)) == UserIdentity("john", ("a", "b", "c"))


def test_without_a_key_the_control_plane_says_so(api: RunningApi, shell: Shell) -> None:
    refused = shell.run("generate", "dataplane-token", "--valid-for=1h")
    assert "dataplane-token-signing-key-default-1" in refused.problem


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--kid=1"], "--kid names the key of --signing-key-path, which is missing"),
        (["--signing-key-path=/nope.pem"], "--kid is required when --signing-key-path is used"),
        (
            ["--signing-key-path=/nope.pem", "--kid=1"],
            "--signing-key-path /nope.pem: cannot be read: No such file or directory",
        ),
        (["--valid-for=0s"], "--valid-for must be longer than zero"),
        (["--valid-for=-1s"], "--valid-for must be longer than zero"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], problem: str, shell: Shell) -> None:
    assert shell.run(*USER, *arguments).problem == problem


def test_an_unknown_scope_is_refused(shell: Shell) -> None:
    refused = shell.run("generate", "zone-token", "--zone=x", "--scope=y", "--valid-for=1h")
    assert refused.problem == "invalid --scope: y, there are: ingress, egress"


def test_what_is_no_key_is_refused(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_text("hello")
    for arguments in (("generate", "public-key"), (*USER, "--kid=1")):
        refused = shell.run(*arguments, "--signing-key-path", str(file))
        assert refused.problem.startswith(f"--signing-key-path {file}: the signing key is not ")


def test_signing_keys_are_rsa_in_the_form_of_secrets(shell: Shell) -> None:
    encoded = shell.out("generate", "signing-key")
    assert parse_signing_key(SecretBytes(b64decode(encoded))).key_size == 2048
    pem = shell.out("generate", "signing-key", "--format", "pem")
    assert pem.startswith("-----BEGIN RSA PRIVATE KEY-----\n")


@pytest.mark.parametrize("key_type", ["rsa", "ecdsa"])
@pytest.mark.parametrize("purpose", ["server", "client"])
def test_a_certificate_is_for_what_was_asked(
    purpose: str, key_type: str, shell: Shell, tmp_path: Path
) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    said = shell.out(
        "generate", "tls-certificate", "--type", purpose, "--hostname=a.example.com,10.0.0.1",
        "--hostname=b", f"--key-type={key_type}", f"--cert-file={cert}", f"--key-file={key}",
    )  # fmt: skip
    assert said == f"Private key saved in {key}\nCertificate saved in {cert}\n"
    assert key.stat().st_mode & 0o777 == 0o400
    (found,) = parse_certificates(cert.read_bytes())
    private = parse_private_key(SecretBytes(key.read_bytes()))
    assert is_key_of(private, found)
    assert isinstance(
        private, rsa.RSAPrivateKey if key_type == "rsa" else ec.EllipticCurvePrivateKey
    )
    names = _extension(found, x509.SubjectAlternativeName)
    assert names.get_values_for_type(x509.DNSName) == ["a.example.com", "b"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1"]
    (usage,) = _extension(found, x509.ExtendedKeyUsage)
    assert usage._name == f"{purpose}Auth"


def _extension(certificate: x509.Certificate, kind: Any) -> Any:
    return certificate.extensions.get_extension_for_class(kind).value


def test_a_certificate_may_go_to_standard_output(shell: Shell) -> None:
    given = ("--type=server", "--hostname=localhost", "--cert-file=-", "--key-file=-")
    text = shell.out("generate", "tls-certificate", *given)
    assert text.count("-----BEGIN") == 2
    context = ssl.create_default_context(cadata=text[text.index("-----BEGIN CERTIFICATE") :])
    assert len(context.get_ca_certs()) == 1


def test_a_certificate_replaces_the_one_before(shell: Shell, tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    files = (f"--cert-file={cert}", f"--key-file={key}", "--key-type=ecdsa")
    for _ in range(2):
        shell.out("generate", "tls-certificate", "--type=server", "--hostname=a", *files)
    (found,) = parse_certificates(cert.read_bytes())
    assert is_key_of(parse_private_key(SecretBytes(key.read_bytes())), found)
