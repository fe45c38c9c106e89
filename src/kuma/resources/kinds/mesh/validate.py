"""What makes a Mesh invalid by itself; `admission` adds what depends on other resources."""

from collections.abc import Iterator
from datetime import timedelta

from kuma.resources.kinds.data_source import DataSource
from kuma.resources.kinds.mesh.ca_backends import (
    BUILTIN,
    PROVIDED,
    builtin_secret_names,
    parse_expiration,
)
from kuma.resources.kinds.mesh.model import (
    BuiltinConf,
    CertificateAuthorityBackend,
    DataplaneProxyConstraints,
    MeshSpec,
    Mtls,
    ProvidedConf,
)
from kuma.resources.kinds.rules import check_selector, is_dns_name
from kuma.resources.kinds.unsupported import Unsupported, find_unsupported
from kuma.resources.resource import Resource
from kuma.resources.spec import parse_spec
from kuma.resources.violation import Violation, at

UNSUPPORTED = (
    Unsupported("tracing", "tracing of a Mesh"),
    Unsupported("logging", "access logs of a Mesh"),
    Unsupported("metrics", "metrics of a Mesh"),
    Unsupported("routing.localityAwareLoadBalancing", "locality-aware load balancing"),
    Unsupported("routing.zoneEgress", "zone egresses"),
)

_MAX_BACKENDS = 1
_MAX_BACKEND_NAME = 255
_MIN_EXPIRATION = timedelta(seconds=1)
_RSA_BITS = range(2048, 8193)


def validate_mesh(resource: Resource[MeshSpec]) -> tuple[Violation, ...]:
    spec = resource.spec
    found: list[Violation] = []
    if spec.mtls is not None:
        found += at("mtls", _check_mtls(spec.mtls, resource.name))
    if spec.constraints is not None and spec.constraints.dataplane_proxy is not None:
        constraints = spec.constraints.dataplane_proxy
        found += at("constraints.dataplaneProxy", _check_constraints(constraints))
    return (*found, *find_unsupported(spec, UNSUPPORTED))


def _check_mtls(mtls: Mtls, mesh: str) -> Iterator[Violation]:
    if len(mtls.backends) > _MAX_BACKENDS:
        yield Violation("backends", f"cannot have more than {_MAX_BACKENDS} backends")
    used: set[str] = set()
    for index, backend in enumerate(mtls.backends):
        path = f"backends[{index}]"
        if backend.name in used:
            message = f'"{backend.name}" name is already used for another backend'
            yield Violation(f"{path}.name", message)
        used.add(backend.name)
        yield from at(path, _check_backend(backend, mesh))
    if mtls.enabled_backend and mtls.enabled_backend not in used:
        yield Violation("enabledBackend", "has to be set to one of the backends in the mesh")


def _check_backend(backend: CertificateAuthorityBackend, mesh: str) -> Iterator[Violation]:
    rotation = backend.dp_cert.rotation if backend.dp_cert else None
    # Differs from Kuma, which calls it `mtls.dpcert.rotation.expiration`, whatever the backend, and
    # wants it as soon as there is anything in `dpCert`.
    if rotation is not None and rotation.expiration:
        yield from _check_expiration("dpCert.rotation.expiration", rotation.expiration)
    if backend.type == BUILTIN:
        yield from _check_builtin_name(backend.name, mesh)
        yield from at("conf", _check_builtin(backend))
    elif backend.type == PROVIDED:
        yield from at("conf", _check_provided(backend))
    else:
        yield Violation("type", "could not find installed plugin for this type")


def _check_expiration(path: str, text: str) -> Iterator[Violation]:
    """Differs from Kuma: it accepts certificates that expire as they are issued."""
    try:
        expiration = parse_expiration(text)
    except ValueError:
        yield Violation(path, "has to be a valid format")
        return
    if expiration < _MIN_EXPIRATION:
        yield Violation(path, "must be 1s or more")


def _check_builtin_name(name: str, mesh: str) -> Iterator[Violation]:
    """The name becomes part of the names of Secrets."""
    secret, _ = builtin_secret_names(mesh, name)
    if len(secret) > _MAX_BACKEND_NAME:
        yield Violation("name", f"Backend name is too long. Max length: {_MAX_BACKEND_NAME}")
    if not is_dns_name(secret) or secret != secret.lower():
        yield Violation("name", f'"{name}" name must be valid dns name')


def _check_builtin(backend: CertificateAuthorityBackend) -> Iterator[Violation]:
    """Differs from Kuma: keys that are too weak for TLS, or take minutes to make, are refused."""
    conf, violations = parse_spec(BuiltinConf, backend.conf or {})
    yield from violations
    if conf is None or conf.ca_cert is None:
        return
    bits = conf.ca_cert.rsa_bits
    if bits and bits not in _RSA_BITS:
        message = f"must be in the range [{_RSA_BITS.start}, {_RSA_BITS.stop - 1}]"
        yield Violation("caCert.RSAbits", message)
    if conf.ca_cert.expiration:
        yield from _check_expiration("caCert.expiration", conf.ca_cert.expiration)


def _check_provided(backend: CertificateAuthorityBackend) -> Iterator[Violation]:
    conf, violations = parse_spec(ProvidedConf, backend.conf or {})
    yield from violations
    if conf is not None:
        yield from at("cert", _check_source(conf.cert))
        yield from at("key", _check_source(conf.key))


def _check_source(source: DataSource | None) -> Iterator[Violation]:
    if source is None:
        yield Violation("", "has to be defined")
    elif source == DataSource():
        available = "secret, file, inline"
        yield Violation("", f"data source has to be chosen. Available sources: {available}")
    elif source.is_empty:
        [name] = source.to_json()
        yield Violation(name, "cannot be empty")


def _check_constraints(constraints: DataplaneProxyConstraints) -> Iterator[Violation]:
    for index, rules in enumerate(constraints.requirements):
        yield from check_selector(f"requirements[{index}].tags", rules.tags)
    for index, rules in enumerate(constraints.restrictions):
        yield from check_selector(f"restrictions[{index}].tags", rules.tags)
