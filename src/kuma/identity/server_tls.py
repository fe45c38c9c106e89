"""TLS of the control plane's own servers: a certificate to begin with, and contexts that follow it.

ensure_server_certificate(work_dir) -> kuma-cp.crt, kuma-cp.key     unless the user has his own
server_context(settings)            -> SSLContext that reads its files again when they change
"""

import os
import ssl
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Self

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kuma.config.errors import BadConfig
from kuma.config.servers import ServerTls
from kuma.config.tls import VERSIONS, openssl_ciphers
from kuma.identity.errors import BadKeyPair
from kuma.identity.issuer import CLOCK_SKEW
from kuma.identity.key_pair import (
    TEN_YEARS,
    KeyPair,
    PrivateKey,
    authority_key_identifier,
    certificate_to_pem,
    is_key_of,
    key_to_pem,
    key_usage,
    parse_certificates,
    parse_private_key,
    signing_hash,
    unsigned,
)
from kuma.kit.clock import Clock
from kuma.plan.secret import SecretBytes

log = structlog.get_logger("identity.server-tls")

CERT_FILE = "kuma-cp.crt"
KEY_FILE = "kuma-cp.key"
_OURS = "Control Plane"
_ROOT_NAME = "kuma-cp"


@dataclass(frozen=True)
class ServerCertificate:
    cert_file: Path
    key_file: Path


def ensure_server_certificate(
    work_dir: Path, *, hostname: str, addresses: tuple[str, ...], clock: Clock
) -> ServerCertificate:
    """The certificate in `work_dir`, made there if there is none or it has expired.

    If it is ours and the machine has another name now, it is signed anew with the same key, by the
    first certificate, which stays in the file: proxies that trust that one go on doing so. What
    somebody else has put there is left alone until it expires. Raises BadConfig.
    """
    held = ServerCertificate(work_dir / CERT_FILE, work_dir / KEY_FILE)
    hosts = tuple(dict.fromkeys((hostname, "localhost", *addresses)))
    hosts = tuple(each for each in hosts if each and each.isascii())
    try:
        work_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        pair = _current(_read(held), hosts, now=clock.now())
        if pair is not None:
            _write(held, pair)
    except OSError as error:
        raise BadConfig(
            (f"general.workDir: cannot keep a certificate in {work_dir}: {error.strerror}",)
        ) from error
    return held


def _current(pair: KeyPair | None, hosts: tuple[str, ...], *, now: datetime) -> KeyPair | None:
    """What is to be written; None: what is there is good."""
    try:
        certificates = parse_certificates(pair.cert_pem) if pair else []
        key = parse_private_key(pair.key) if pair else None
    except BadKeyPair as error:
        log.warning("the server's certificate in the work directory is replaced", reason=str(error))
        return _new_pair(hosts, now)
    if key is None or not is_key_of(key, certificates[0]) or _has_expired(certificates, now):
        return _new_pair(hosts, now)
    root = certificates[-1]
    if hosts[0] in _dns_names(certificates[0]) or not _is_ours(root):
        return None
    renamed = _build(key, hosts, name=f"{_ROOT_NAME} {hosts[0]}"[:64], root=root, now=now)
    return KeyPair(certificate_to_pem(renamed) + certificate_to_pem(root), key_to_pem(key))


def _new_pair(hosts: tuple[str, ...], now: datetime) -> KeyPair:
    # Differs from Kuma: RSA there. With ECDSA a handshake costs the server a twentieth, which
    # counts when a thousand proxies come back at once.
    key = ec.generate_private_key(ec.SECP256R1())
    made = _build(key, hosts, name=_ROOT_NAME, root=None, now=now)
    return KeyPair(certificate_to_pem(made), key_to_pem(key))


def _build(
    key: PrivateKey,
    hosts: tuple[str, ...],
    *,
    name: str,
    root: x509.Certificate | None,
    now: datetime,
) -> x509.Certificate:
    """Also a CA, since it is given to kuma-dp as the CA to verify the control plane by."""
    subject = _subject(name)
    builder = unsigned(
        key,
        subject=subject,
        issuer=root.subject if root else subject,
        not_before=now - CLOCK_SKEW,
        not_after=root.not_valid_after_utc if root else now + TEN_YEARS,
    )
    builder = (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(key_usage(digital_signature=True, key_cert_sign=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(alternative_names(hosts), critical=False)
    )
    if root is None:
        # Both, so that a client that trusts two roots of this name picks the right one.
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        same = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)
        builder = builder.add_extension(own, critical=False).add_extension(same, critical=False)
    else:
        builder = builder.add_extension(authority_key_identifier(root), critical=False)
    return builder.sign(key, signing_hash(key))


def alternative_names(hosts: tuple[str, ...]) -> x509.SubjectAlternativeName:
    """DNS names and IP addresses, told apart."""
    names: list[x509.GeneralName] = []
    for host in hosts:
        try:
            names.append(x509.IPAddress(ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    return x509.SubjectAlternativeName(names)


def _subject(name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Kuma"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, _OURS),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


def _is_ours(root: x509.Certificate) -> bool:
    return root.subject == root.issuer == _subject(_ROOT_NAME)


def _has_expired(certificates: list[x509.Certificate], now: datetime) -> bool:
    return any(each.not_valid_after_utc <= now for each in certificates)


def _dns_names(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return names.get_values_for_type(x509.DNSName)


def _read(held: ServerCertificate) -> KeyPair | None:
    try:
        return KeyPair(held.cert_file.read_bytes(), SecretBytes(held.key_file.read_bytes()))
    except FileNotFoundError:
        return None


def _write(held: ServerCertificate, pair: KeyPair) -> None:
    """The key first: a reader that finds a new certificate finds its key as well."""
    _replace(held.key_file, pair.key.reveal, mode=0o600)
    _replace(held.cert_file, pair.cert_pem, mode=0o644)


def _replace(file: Path, content: bytes, *, mode: int) -> None:
    """Atomically, and never readable by more people than `mode` says."""
    draft = file.with_name(f".{file.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(file)


class ReloadingContext(ssl.SSLContext):
    """A server's context whose files are looked at on every handshake, and read if they changed.

    Files that cannot be used (half replaced, say) leave the last good ones in force. All that can be
    set from outside is ALPN: the handshakes are done by an inner context, made anew each time,
    since an SSLContext never forgets a certificate of another key type.
    """

    def __new__(cls, *_: object, **__: object) -> Self:
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(
        self, tls: ServerTls, *, client_ca_file: str = "", require_client_cert: bool = False
    ) -> None:
        self._tls = tls
        self._client_ca_file = client_ca_file
        self._require_client_cert = require_client_cert
        self._alpn: list[str] = []
        self._seen = self._look()
        try:
            self._inner = self._build()
        except (OSError, ValueError) as error:
            raise BadConfig((f"{self._files()}: {_reason(error)}",)) from error

    def set_alpn_protocols(self, alpn_protocols: Any) -> None:
        self._alpn = list(alpn_protocols)
        self._inner.set_alpn_protocols(self._alpn)

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        self._refresh()
        return self._inner.wrap_bio(*arguments, **options)

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        self._refresh()
        return self._inner.wrap_socket(*arguments, **options)

    def _refresh(self) -> None:
        seen = self._look()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._inner = self._build()
        except (OSError, ValueError) as error:
            log.warning(
                "a server's certificate changed, but cannot be used; the last one stays in force",
                files=self._files(),
                reason=_reason(error),
            )
        else:
            log.info("a server's certificate was read again", files=self._files())

    def _look(self) -> tuple[object, ...]:
        return tuple(_fingerprint(each) for each in self._paths())

    def _paths(self) -> list[str]:
        tls = self._tls
        return [
            each for each in (tls.tls_cert_file, tls.tls_key_file, self._client_ca_file) if each
        ]

    def _files(self) -> str:
        return ", ".join(self._paths())

    def _build(self) -> ssl.SSLContext:
        """Raises OSError (of which ssl.SSLError is one) or ValueError."""
        tls = self._tls
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = VERSIONS[tls.tls_min_version or "TLSv1_2"]
        if tls.tls_max_version:
            context.maximum_version = VERSIONS[tls.tls_max_version]
        if ciphers := openssl_ciphers(tls.tls_cipher_suites):
            context.set_ciphers(ciphers)
        context.load_cert_chain(tls.tls_cert_file, tls.tls_key_file, password=_no_password)
        if self._client_ca_file:
            context.load_verify_locations(self._client_ca_file)
            required = self._require_client_cert
            context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
        if self._alpn:
            context.set_alpn_protocols(self._alpn)
        return context


def server_context(
    tls: ServerTls, *, client_ca_file: str = "", require_client_cert: bool = False
) -> ReloadingContext:
    """For a server with these settings, whose files are already filled in. With `client_ca_file`
    clients may show a certificate that this CA has signed. Raises BadConfig."""
    return ReloadingContext(
        tls, client_ca_file=client_ca_file, require_client_cert=require_client_cert
    )


def _fingerprint(path: str) -> object:
    """None while the file is away, as it is for a moment when it is moved into place."""
    try:
        found = os.stat(path)  # noqa: PTH116  on every handshake, so without a Path
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _no_password() -> str:
    """Instead of OpenSSL's question on the terminal, which would block the whole server."""
    raise ValueError("the key is encrypted")


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"not a certificate with its key in PEM ({error.reason or 'unreadable'})"
    return getattr(error, "strerror", None) or str(error)
