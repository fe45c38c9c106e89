"""The provided CA: a certificate and key that the user brings, from wherever he keeps them.

    conf.cert, conf.key --load_data_source--> KeyPair --ca_violations--> load_authority

Source: https://kuma.io/docs/2.14.x/policies/mutual-tls/#usage-of-provided-ca, and the X.509-SVID
standard, https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md, 4.1, 4.3, appendix A
"""

from collections.abc import Iterator
from pathlib import Path

from cryptography import x509

from kuma.identity.errors import BadKeyPair
from kuma.identity.key_pair import KeyPair, is_key_of, parse_certificates, parse_private_key
from kuma.identity.secret_source import SecretFinder, find_secret, secret_key
from kuma.plan.secret import SecretBytes
from kuma.resources.kinds.data_source import DataSource
from kuma.resources.kinds.mesh.model import ProvidedConf
from kuma.resources.violation import Violation


class CannotLoad(Exception):
    """A data source that does not lead to data; the text says why."""


def load_data_source(source: DataSource, *, mesh: str, secrets: SecretFinder) -> bytes:
    """Secrets are those of `mesh`. Files are read from the control plane's own disk. Raises
    CannotLoad."""
    if source.secret:
        data = find_secret(secrets, secret_key(mesh, source.secret))
        if data is None:
            raise CannotLoad(f"could not load data: {secret_key(mesh, source.secret)} is not found")
        return data
    if source.file:
        return _read(source.file)
    if source.inline:
        return source.inline
    if source.inline_string:
        return source.inline_string.encode()
    raise CannotLoad("data source has to be chosen. Available sources: secret, file, inline")


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise CannotLoad(f"could not load data: {file}: {error.strerror}") from error


def load_provided(conf: ProvidedConf, *, mesh: str, secrets: SecretFinder) -> KeyPair:
    """Raises BadKeyPair."""
    if conf.cert is None or conf.key is None:
        raise BadKeyPair("the provided CA needs both cert and key")
    try:
        cert = load_data_source(conf.cert, mesh=mesh, secrets=secrets)
        key = load_data_source(conf.key, mesh=mesh, secrets=secrets)
    except CannotLoad as error:
        raise BadKeyPair(str(error)) from error
    return KeyPair(cert, SecretBytes(key))


def provided_violations(
    conf: ProvidedConf, *, mesh: str, secrets: SecretFinder
) -> tuple[Violation, ...]:
    """What is wrong with what `conf` leads to, with paths below `conf`. That both are set is
    checked with the Mesh itself."""
    parts: dict[str, bytes] = {}
    found: list[Violation] = []
    for name, source in (("cert", conf.cert), ("key", conf.key)):
        if source is None or source.is_empty:
            continue
        try:
            parts[name] = load_data_source(source, mesh=mesh, secrets=secrets)
        except CannotLoad as error:
            found.append(Violation(name, str(error)))
    if len(parts) == 2:
        found += ca_violations(KeyPair(parts["cert"], SecretBytes(parts["key"])))
    return tuple(found)


def ca_violations(pair: KeyPair) -> tuple[Violation, ...]:
    """Whether a key pair can sign workload certificates: the key must be that of the first
    certificate, and all of them must be CAs."""
    try:
        certificates, key = parse_certificates(pair.cert_pem), parse_private_key(pair.key)
    except BadKeyPair as error:
        return (Violation("cert", str(error)),)
    if not is_key_of(key, certificates[0]):
        message = "not a valid TLS key pair: private key does not match public key"
        return (Violation("cert", message),)
    return tuple(
        Violation(f"cert[{index}]", message)
        for index, certificate in enumerate(certificates)
        for message in _ca_problems(certificate)
    )


def _ca_problems(certificate: x509.Certificate) -> Iterator[str]:
    try:
        extensions = certificate.extensions
    except ValueError:
        yield "not a valid x509 certificate: its extensions cannot be read"
        return
    if not _is_ca(extensions):
        yield "basic constraint 'CA' must be set to 'true' (see X509-SVID: 4.1. Basic Constraints)"
    usage = _usage(extensions)
    if usage is None or not usage.key_cert_sign:
        yield "key usage extension 'keyCertSign' must be set (see X509-SVID: 4.3. Key Usage)"
    if usage is not None and usage.key_agreement:
        yield (
            "key usage extension 'keyAgreement' must NOT be set "
            "(see X509-SVID: Appendix A. X.509 Field Reference)"
        )


def _is_ca(extensions: x509.Extensions) -> bool:
    try:
        return extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _usage(extensions: x509.Extensions) -> x509.KeyUsage | None:
    try:
        return extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None
