"""`kumactl generate`: tokens, by the control plane or with a key at hand, keys and certificates.

The code behind the offline ones is that of the control plane, imported when it is needed.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kuma.app.ctl.errors import CtlError
from kuma.app.ctl.session import Session
from kuma.kit.durations import format_duration
from kuma.kit.go_cli import GoCommand, GoGroup
from kuma.kit.go_flags import DURATION, parse_list, parse_pairs

if TYPE_CHECKING:
    from kuma.identity.tokens import Identity

_SCOPES = ("ingress", "egress")

generate = GoGroup(
    "generate",
    help="Generate tokens, keys and certificates.",
    examples="""
kumactl generate dataplane-token --name web-1 --valid-for 24h > web-1.token
kumactl generate user-token --name john --group admins --valid-for 24h
kumactl generate signing-key --format pem > key.pem
""",
)


def _token_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--kid", default="", help="ID of that key; tokens name it"),
        click.option(
            "--signing-key-path", default="", help="Sign with this key, without the control plane"
        ),
        click.option("--valid-for", type=DURATION, required=True, help="Such as 24h"),
    ):
        command = option(command)
    return command


@generate.command(
    "dataplane-token",
    cls=GoCommand,
    help="Generate a token by which a dataplane proves what it is.",
    examples="""
kumactl generate dataplane-token --mesh demo --name web-1 --valid-for 24h
kumactl generate dataplane-token --mesh demo --tag kuma.io/service=web,web-api --valid-for 24h
kumactl generate dataplane-token --mesh demo --workload backend --valid-for 24h
kumactl generate dataplane-token --name web-1 --valid-for 24h --signing-key-path key.pem --kid 1
""",
)
@click.option("--name", default="", help="Name of the Dataplane")
@click.option("-m", "--mesh", help='Mesh to use (default "default")')
@click.option("--tag", multiple=True, help="Values that a tag must be of: tag=value1,value2")
@click.option("--proxy-type", "--type", default="", help="dataplane, ingress or egress")
@click.option("--workload", default="", help="Value that the label kuma.io/workload must have")
@_token_options
@click.pass_context
def dataplane_token(
    context: click.Context,
    *,
    name: str,
    mesh: str | None,
    tag: Sequence[str],
    proxy_type: str,
    workload: str,
    valid_for: timedelta,
    signing_key_path: str,
    kid: str,
) -> None:
    session = Session(context)
    in_mesh = session.mesh(mesh)
    try:
        tags = {key: text.split(",") for key, text in parse_pairs(tag).items()}
    except ValueError as error:
        raise CtlError(f"--tag: {error}") from error

    def identity() -> "Identity":
        from kuma.identity.tokens import DataplaneIdentity, tag_values

        return DataplaneIdentity(in_mesh, name, tag_values(tags), proxy_type, workload)

    asked = {
        "name": name,
        "mesh": in_mesh,
        "tags": tags,
        "type": proxy_type,
        "workload": workload,
    }
    key = (signing_key_path, kid)
    _issue(session, "dataplane", asked, identity, valid_for=valid_for, key=key)


@generate.command(
    "zone-token",
    cls=GoCommand,
    help="Generate a token by which the ingress or egress of a zone proves what it is.",
    examples="""
kumactl generate zone-token --zone east --valid-for 24h
kumactl generate zone-token --zone east --scope egress --valid-for 24h
""",
)
@click.option("--zone", required=True, help="Name of the zone")
@click.option("--scope", multiple=True, help="ingress, egress (default both)")
@_token_options
@click.pass_context
def zone_token(
    context: click.Context,
    *,
    zone: str,
    scope: Sequence[str],
    valid_for: timedelta,
    signing_key_path: str,
    kid: str,
) -> None:
    scopes = parse_list(scope) or _SCOPES
    if unknown := [each for each in scopes if each not in _SCOPES]:
        raise CtlError(f"invalid --scope: {', '.join(unknown)}, there are: {', '.join(_SCOPES)}")

    def identity() -> "Identity":
        from kuma.identity.tokens import ZoneIdentity

        return ZoneIdentity(zone, scopes)

    asked, key = {"zone": zone, "scope": list(scopes)}, (signing_key_path, kid)
    _issue(Session(context), "zone", asked, identity, valid_for=valid_for, key=key)


@generate.command(
    "user-token",
    cls=GoCommand,
    help="Generate a token by which a user proves to the control plane who it is.",
    examples="""
kumactl generate user-token --name john --group admins --valid-for 24h
kumactl generate user-token --name john --valid-for 24h --signing-key-path key.pem --kid 1
""",
)
@click.option("--name", required=True, help="Name of the user")
@click.option("--group", multiple=True, help="A group of the user")
@_token_options
@click.pass_context
def user_token(
    context: click.Context,
    *,
    name: str,
    group: Sequence[str],
    valid_for: timedelta,
    signing_key_path: str,
    kid: str,
) -> None:
    groups = parse_list(group)

    def identity() -> "Identity":
        from kuma.identity.tokens import UserIdentity

        return UserIdentity(name, groups)

    asked, key = {"name": name, "groups": list(groups)}, (signing_key_path, kid)
    _issue(Session(context), "user", asked, identity, valid_for=valid_for, key=key)


def _issue(
    session: Session,
    family: str,
    asked: Mapping[str, Any],
    identity: Callable[[], "Identity"],
    *,
    valid_for: timedelta,
    key: tuple[str, str],
) -> None:
    """Without a newline at the end, as it goes into files."""
    path, kid = key
    if valid_for <= timedelta(0):
        raise CtlError("--valid-for must be longer than zero")
    if path and not kid:
        raise CtlError("--kid is required when --signing-key-path is used")
    if kid and not path:
        raise CtlError("--kid names the key of --signing-key-path, which is missing")
    if path:
        token = _sign(session, identity(), path, kid, valid_for)
    else:
        document = {**asked, "validFor": format_duration(valid_for)}
        token = session.client().post(f"/tokens/{family}", document)
    click.echo(token, nl=False)


def _sign(session: Session, identity: "Identity", path: str, kid: str, valid_for: timedelta) -> str:
    from kuma.identity.errors import BadKeyPair
    from kuma.identity.signing_keys import SigningKey
    from kuma.identity.tokens import sign_token
    from kuma.plan.secret import SecretBytes

    key = SigningKey(kid, SecretBytes(_read(path)))
    try:
        return sign_token(identity, key, valid_for=valid_for, clock=session.clock)
    except BadKeyPair as error:
        raise CtlError(f"--signing-key-path {path}: {error}") from error


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise CtlError(f"--signing-key-path {path}: cannot be read: {error.strerror}") from error


@generate.command(
    "signing-key",
    cls=GoCommand,
    help="Generate a key for signing tokens.",
    examples="""
kumactl generate signing-key --format pem > key.pem
echo "
type: GlobalSecret
name: user-token-signing-key-2
data: {{ key }}
" | kumactl apply --var key=$(kumactl generate signing-key) -f -
""",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["pem", "pem-base64"]),
    default="pem-base64",
    help="(default pem-base64, as secrets have it)",
)
def signing_key(*, form: str) -> None:
    from base64 import b64encode

    from kuma.identity.signing_keys import generate_signing_key

    pem = generate_signing_key().reveal
    click.echo(pem if form == "pem" else b64encode(pem), nl=False)


@generate.command(
    "public-key",
    cls=GoCommand,
    help="Derive the public key that checks the tokens of a signing key.",
    examples="""
kumactl generate signing-key --format pem > key.pem
kumactl generate public-key --signing-key-path key.pem
""",
)
@click.option("--signing-key-path", required=True, help="The signing key, as PEM")
def public_key(*, signing_key_path: str) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    from kuma.identity.errors import BadKeyPair
    from kuma.identity.signing_keys import parse_signing_key
    from kuma.plan.secret import SecretBytes

    try:
        key = parse_signing_key(SecretBytes(_read(signing_key_path)))
    except BadKeyPair as error:
        raise CtlError(f"--signing-key-path {signing_key_path}: {error}") from error
    click.echo(key.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1), nl=False)


@generate.command(
    "tls-certificate",
    cls=GoCommand,
    help="Generate a self-signed certificate and its key.",
    examples="""
kumactl generate tls-certificate --type server --hostname mesh.example.com,10.0.0.7
kumactl generate tls-certificate --type client --hostname admin --key-file=- --cert-file=-
""",
)
@click.option(
    "--type", "purpose", required=True, type=click.Choice(["client", "server"]), help="For whom"
)
@click.option("--hostname", required=True, multiple=True, help="Names and addresses that it is for")
@click.option("--cert-file", default="cert.pem", help="Where to write it; - is standard output")
@click.option("--key-file", default="key.pem", help="Where to write its key; - is standard output")
@click.option(
    "--key-type", type=click.Choice(["rsa", "ecdsa"]), default="rsa", help="(default rsa)"
)
@click.pass_context
def tls_certificate(
    context: click.Context,
    *,
    purpose: str,
    hostname: Sequence[str],
    cert_file: str,
    key_file: str,
    key_type: str,
) -> None:
    from kuma.identity.tls_certificate import generate_tls_certificate

    names = parse_list(hostname)
    if not names or not all(names):
        raise CtlError("at least one hostname must be given")
    try:
        pair = generate_tls_certificate(
            names,
            is_client=purpose == "client",
            is_ecdsa=key_type == "ecdsa",
            now=Session(context).clock.now(),
        )
    except ValueError as error:
        raise CtlError(f"--hostname: {error}") from error
    _write(key_file, pair.key.reveal, mode=0o400)
    _write(cert_file, pair.cert_pem, mode=0o600)
    if "-" not in {cert_file, key_file}:
        click.echo(f"Private key saved in {key_file}\nCertificate saved in {cert_file}")


def _write(file: str, content: bytes, *, mode: int) -> None:
    if file == "-":
        click.echo(content, nl=False)
        return
    try:
        Path(file).unlink(missing_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as written:
            written.write(content)
    except OSError as error:
        raise CtlError(f"{file}: cannot be written: {error.strerror}") from error
