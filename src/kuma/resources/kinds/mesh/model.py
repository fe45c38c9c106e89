"""The spec of a Mesh, as users write it."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from kuma.resources.kinds.data_source import DataSource
from kuma.resources.proto_json import (
    Bool,
    Numbered,
    ProtoDuration,
    ProtoModel,
    Struct,
    Tags,
    UInt32,
)


class MtlsMode(StrEnum):
    STRICT = "STRICT"
    PERMISSIVE = "PERMISSIVE"


class DpCertRotation(ProtoModel):
    """`expiration` has units of its own: `1d`, `12h`, `30m`."""

    expiration: str = ""
    """Lifetime of the proxies' certificates, such as `1d` or `12h`. Left out: a day."""


class DpCert(ProtoModel):
    rotation: DpCertRotation | None = None
    """When the proxies' certificates are renewed."""
    request_timeout: ProtoDuration | None = None
    """Without effect: issuing waits for nothing."""


class RootChain(ProtoModel):
    request_timeout: ProtoDuration | None = None
    """Without effect: they are in memory."""


class BuiltinCaCert(ProtoModel):
    rsa_bits: UInt32 | None = Field(default=None, alias="RSAbits")
    """Size of the CA's RSA key. Left out, or 0: 2048."""
    expiration: str = ""
    """Lifetime of the CA's certificate, such as `1y`. Left out: 10 years."""


class BuiltinConf(ProtoModel):
    """`conf` of a backend of type `builtin`."""

    ca_cert: BuiltinCaCert | None = None
    """The CA's certificate."""


class ProvidedConf(ProtoModel):
    """`conf` of a backend of type `provided`."""

    cert: DataSource | None = None
    """The CA's certificate, PEM."""
    key: DataSource | None = None
    """The CA's key, PEM."""


class CertificateAuthorityBackend(ProtoModel):
    name: str = ""
    """Name of the backend, unique in the mesh."""
    type: str = ""
    """`builtin`: the control plane makes the CA; `provided`: you bring certificate and key."""
    dp_cert: DpCert | None = None
    """The certificates of the proxies."""
    conf: Struct | None = None
    """Configuration of the type: for `builtin` `caCert.RSAbits` and `caCert.expiration`, for
    `provided` the data sources `cert` and `key`."""
    mode: Annotated[MtlsMode, Numbered()] = MtlsMode.STRICT
    """STRICT: inbounds refuse plaintext; PERMISSIVE: they accept both, for a migration."""
    root_chain: RootChain | None = None
    """Reading the CA's certificates."""

    def builtin_conf(self) -> BuiltinConf:
        """Raises pydantic's ValidationError on a `conf` that validation has not seen."""
        return BuiltinConf.model_validate(self.conf or {})

    def provided_conf(self) -> ProvidedConf:
        """Raises pydantic's ValidationError on a `conf` that validation has not seen."""
        return ProvidedConf.model_validate(self.conf or {})


class Mtls(ProtoModel):
    enabled_backend: str = ""
    """Name of the backend in force. Left out: no mutual TLS."""
    backends: tuple[CertificateAuthorityBackend, ...] = ()
    """The certificate authorities; at most one."""
    skip_validation: Bool = False
    """Do not check that the backend works before it is enabled."""


class TracingBackend(ProtoModel):
    name: str = ""
    """Name of the backend."""
    sampling: float | None = None
    """Percentage of requests that are traced."""
    type: str = ""
    """Type of the backend."""
    conf: Struct | None = None
    """Configuration of the type."""


class Tracing(ProtoModel):
    default_backend: str = ""
    """Name of the backend that is used unless a policy says otherwise."""
    backends: tuple[TracingBackend, ...] = ()
    """Where traces go."""


class LoggingBackend(ProtoModel):
    name: str = ""
    """Name of the backend."""
    format: str = ""
    """Format of a line."""
    type: str = ""
    """Type of the backend."""
    conf: Struct | None = None
    """Configuration of the type."""


class Logging(ProtoModel):
    default_backend: str = ""
    """Name of the backend that is used unless a policy says otherwise."""
    backends: tuple[LoggingBackend, ...] = ()
    """Where access logs go."""


class MeshMetricsBackend(ProtoModel):
    name: str = ""
    """Name of the backend."""
    type: str = ""
    """Type of the backend."""
    conf: Struct | None = None
    """Configuration of the type."""


class Metrics(ProtoModel):
    enabled_backend: str = ""
    """Name of the backend in force."""
    backends: tuple[MeshMetricsBackend, ...] = ()
    """Where metrics are offered."""


class NetworkingOutbound(ProtoModel):
    passthrough: Bool | None = None
    """Whether proxies let traffic to unknown destinations out. Left out: they do."""


class MeshNetworking(ProtoModel):
    outbound: NetworkingOutbound | None = None
    """Traffic that leaves the proxies."""


class Routing(ProtoModel):
    locality_aware_load_balancing: Bool = False
    """Prefer endpoints of the same zone."""
    zone_egress: Bool = False
    """Send traffic to other zones and to external services through the zone's egress."""
    default_forbid_mesh_external_service_access: Bool = False
    """Forbid calls to all MeshExternalServices."""


class MembershipRules(ProtoModel):
    tags: Tags = Field(default_factory=dict)
    """Tags of inbounds; the value `*` means any."""


class DataplaneProxyConstraints(ProtoModel):
    requirements: tuple[MembershipRules, ...] = ()
    """A dataplane must meet one of these to join."""
    restrictions: tuple[MembershipRules, ...] = ()
    """A dataplane that meets one of these must not join."""


class Constraints(ProtoModel):
    dataplane_proxy: DataplaneProxyConstraints | None = None
    """Which dataplanes may join the mesh."""


class MeshServicesMode(StrEnum):
    DISABLED = "Disabled"
    EVERYWHERE = "Everywhere"
    REACHABLE_BACKENDS = "ReachableBackends"
    EXCLUSIVE = "Exclusive"


class MeshServices(ProtoModel):
    mode: Annotated[MeshServicesMode, Numbered()] = MeshServicesMode.DISABLED
    """How MeshServices are made."""


class MeshSpec(ProtoModel):
    mtls: Mtls | None = None
    """Mutual TLS between the proxies."""
    tracing: Tracing | None = None
    """Traces."""
    logging: Logging | None = None
    """Access logs."""
    metrics: Metrics | None = None
    """Metrics of the proxies."""
    networking: MeshNetworking | None = None
    """Networking of the whole mesh."""
    routing: Routing | None = None
    """Routing of the whole mesh."""
    constraints: Constraints | None = None
    """Which dataplanes may join."""
    skip_creating_initial_policies: tuple[str, ...] = ()
    """Kinds of which the new mesh gets no default policies; `*`: of none."""
    mesh_services: MeshServices | None = None
    """MeshServices of the mesh."""

    @property
    def has_only_mesh_services(self) -> bool:
        """Then destinations are resources, and none is known by its tags."""
        found = self.mesh_services
        return found is not None and found.mode is MeshServicesMode.EXCLUSIVE

    @property
    def passthrough(self) -> bool:
        """Whether proxies let traffic to unknown destinations out; unless set otherwise they do."""
        outbound = self.networking.outbound if self.networking else None
        return outbound is None or outbound.passthrough is not False

    @property
    def enabled_backend(self) -> CertificateAuthorityBackend | None:
        """The certificate authority in force; None: mutual TLS is off."""
        if self.mtls is None or not self.mtls.enabled_backend:
            return None
        enabled = self.mtls.enabled_backend
        return next((each for each in self.mtls.backends if each.name == enabled), None)

    @property
    def backends(self) -> tuple[CertificateAuthorityBackend, ...]:
        return self.mtls.backends if self.mtls else ()
