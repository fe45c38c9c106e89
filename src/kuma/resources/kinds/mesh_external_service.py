"""MeshExternalService: a service outside the mesh, as a resource with a port of its own.

Source: https://kuma.io/docs/2.14.x/networking/meshexternalservice
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from kuma.resources.kind import Kind, Scope, Sync
from kuma.resources.kinds.data_source import DataSource
from kuma.resources.kinds.rules import is_dns_name, is_ip
from kuma.resources.kinds.service_status import HostnameGeneratorStatus, ServiceAddress, Vip
from kuma.resources.proto_json import Base64
from kuma.resources.resource import Resource
from kuma.resources.server_names import deprecated_names
from kuma.resources.spec import SpecModel
from kuma.resources.violation import Violation

_MAX_NAME = 63

Port = Annotated[int, Field(strict=True, ge=1, le=65535)]


class MatchType(StrEnum):
    HOSTNAME_GENERATOR = "HostnameGenerator"


class MatchProtocol(StrEnum):
    TCP = "tcp"
    GRPC = "grpc"
    HTTP = "http"
    HTTP2 = "http2"


class ExternalMatch(SpecModel):
    type: MatchType = MatchType.HOSTNAME_GENERATOR
    """How the service is called: by a name that a HostnameGenerator makes."""
    port: Port
    """Port by which the service is called."""
    protocol: MatchProtocol = MatchProtocol.TCP
    """What it speaks."""


class Extension(SpecModel):
    type: str
    """Type of the extension."""
    config: Any = None
    """Configuration of the type."""


class ExternalEndpoint(SpecModel):
    address: Annotated[str, Field(min_length=1)]
    """IP address or DNS name."""
    port: Port
    """Port of the endpoint."""
    priority: Annotated[int, Field(strict=True, ge=0, le=128)] | None = None
    """Lower ones come first; the next ones get traffic when those are unhealthy. Left out: 0."""


class TlsVersion(StrEnum):
    """In order, but for TLSAuto, which leaves it to the proxy."""

    AUTO = "TLSAuto"
    TLS10 = "TLS10"
    TLS11 = "TLS11"
    TLS12 = "TLS12"
    TLS13 = "TLS13"


class VersionRange(SpecModel):
    min: TlsVersion = TlsVersion.AUTO
    """The oldest version."""
    max: TlsVersion = TlsVersion.AUTO
    """The newest version."""


class VerificationMode(StrEnum):
    SKIP_SAN = "SkipSAN"
    SKIP_CA = "SkipCA"
    SECURED = "Secured"
    SKIP_ALL = "SkipAll"


class SanMatchType(StrEnum):
    EXACT = "Exact"
    PREFIX = "Prefix"


class SanMatch(SpecModel):
    type: SanMatchType = SanMatchType.EXACT
    """How the name is compared."""
    value: str
    """The name."""


class CertificateSource(SpecModel):
    inline: Annotated[Base64, Field(min_length=1)] | None = None
    """The content itself, in base64."""
    inline_string: str | None = None
    """The content itself, as text."""
    secret: str | None = None
    """Name of a Secret of the same mesh."""

    def as_data_source(self) -> DataSource:
        """`validate` has seen to it that one field is set at most."""
        return DataSource(inline=self.inline, inline_string=self.inline_string, secret=self.secret)


class Verification(SpecModel):
    mode: VerificationMode = VerificationMode.SECURED
    """Secured: everything is verified; SkipSAN: all but the name in the server's certificate; SkipCA:
    all but its CA, and so nothing of it; SkipAll: nothing, and no certificate is shown."""
    server_name: str | None = None
    """Server name of the TLS handshake. Left out: the first endpoint, if that is a name."""
    subject_alt_names: tuple[SanMatch, ...] | None = None
    """Further names that the server's certificate may have."""
    ca_cert: CertificateSource | None = None
    """CA that the server's certificate is verified against. Left out: those of the proxy's machine."""
    client_cert: CertificateSource | None = None
    """Certificate that the proxy shows to the server."""
    client_key: CertificateSource | None = None
    """Key of the client certificate."""


class ExternalTlsSpec(SpecModel):
    enabled: bool = Field(default=False, strict=True)
    """Begin TLS towards the service."""
    version: VersionRange | None = None
    """Versions of TLS."""
    allow_renegotiation: bool = Field(default=False, strict=True)
    """Allow the server to negotiate TLS again."""
    verification: Verification | None = None
    """What is verified."""


class MeshExternalServiceSpec(SpecModel):
    match: ExternalMatch
    """How the service is called."""
    extension: Extension | None = None
    """Another kind of destination. Not available."""
    endpoints: tuple[ExternalEndpoint, ...] | None = None
    """Where the service is."""
    tls: ExternalTlsSpec | None = None
    """TLS towards the service."""


class MeshExternalServiceStatus(SpecModel):
    vip: Vip = Vip()
    """Virtual address by which applications call the service."""
    addresses: tuple[ServiceAddress, ...] | None = None
    """Names by which applications call the service."""
    hostname_generators: tuple[HostnameGeneratorStatus, ...] | None = None
    """What became of each HostnameGenerator that selects the service."""


def _validate(resource: Resource[MeshExternalServiceSpec]) -> tuple[Violation, ...]:
    return tuple(_violations(resource))


def _violations(resource: Resource[MeshExternalServiceSpec]) -> Iterator[Violation]:
    spec = resource.spec
    if len(resource.display_name) > _MAX_NAME:
        yield Violation("name", f"must not be longer than {_MAX_NAME} characters")
    if spec.extension is not None:
        message = "is not supported by this version (extensions of MeshExternalService)"
        yield Violation("spec.extension", message)
    for index, endpoint in enumerate(spec.endpoints or ()):
        if not is_ip(endpoint.address) and not is_dns_name(endpoint.address):
            path = f"spec.endpoints[{index}].address"
            yield Violation(path, "address has to be a valid IP or hostname")
    if spec.tls is not None:
        yield from _check_tls(spec.tls)


def _check_tls(tls: ExternalTlsSpec) -> Iterator[Violation]:
    if tls.version is not None and _is_empty(tls.version):
        yield Violation("spec.tls.version.min", "min version must be lower than max")
    verification = tls.verification
    if verification is None:
        return
    path = "spec.tls.verification"
    if verification.server_name is not None and not is_dns_name(verification.server_name):
        yield Violation(f"{path}.serverName", "must be a valid DNS name")
    sources = {
        "caCert": verification.ca_cert,
        "clientCert": verification.client_cert,
        "clientKey": verification.client_key,
    }
    for name, source in sources.items():
        if source is not None and len(source.model_dump(exclude_none=True)) > 1:
            # Differs from Kuma, which takes one of them without saying which.
            message = "only one of inline, inlineString and secret can be set"
            yield Violation(f"{path}.{name}", message)
    if verification.client_cert is not None and verification.client_key is None:
        yield Violation(f"{path}.clientKey", "must be defined when clientCert is defined")
    if verification.client_cert is None and verification.client_key is not None:
        yield Violation(f"{path}.clientCert", "must be defined when clientKey is defined")


def _is_empty(version: VersionRange) -> bool:
    order = list(TlsVersion)
    return version.max is not TlsVersion.AUTO and order.index(version.min) > order.index(
        version.max
    )


def _ports(spec: MeshExternalServiceSpec) -> tuple[tuple[int, str], ...]:
    return ((spec.match.port, str(spec.match.port)),)


MESH_EXTERNAL_SERVICE = Kind(
    name="MeshExternalService",
    plural="MeshExternalServices",
    display_plural="Mesh External Services",
    scope=Scope.MESH,
    spec=MeshExternalServiceSpec,
    status=MeshExternalServiceStatus,
    path="meshexternalservices",
    argument="meshexternalservice",
    short="extsvc",
    sync=Sync.GLOBAL_TO_ZONES | Sync.ZONE_TO_GLOBAL,
    validate=_validate,
    deprecations=deprecated_names,
    ports=_ports,
)
