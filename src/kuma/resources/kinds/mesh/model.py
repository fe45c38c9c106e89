"""The spec of a Mesh, as users write it."""

from enum import StrEnum

from pydantic import Field

from kuma.resources.kinds.data_source import DataSource
from kuma.resources.proto_json import Bool, ProtoDuration, ProtoModel, Struct, Tags, UInt32


class MtlsMode(StrEnum):
    STRICT = "STRICT"
    PERMISSIVE = "PERMISSIVE"


class DpCertRotation(ProtoModel):
    """`expiration` has units of its own: `1d`, `2w` (see `mesh_durations`)."""

    expiration: str = ""


class DpCert(ProtoModel):
    rotation: DpCertRotation | None = None
    request_timeout: ProtoDuration | None = None


class RootChain(ProtoModel):
    request_timeout: ProtoDuration | None = None


class BuiltinCaCert(ProtoModel):
    rsa_bits: UInt32 | None = Field(default=None, alias="RSAbits")
    expiration: str = ""


class BuiltinConf(ProtoModel):
    """`conf` of a backend of type `builtin`."""

    ca_cert: BuiltinCaCert | None = None


class ProvidedConf(ProtoModel):
    """`conf` of a backend of type `provided`."""

    cert: DataSource | None = None
    key: DataSource | None = None


class CertificateAuthorityBackend(ProtoModel):
    name: str = ""
    type: str = ""
    dp_cert: DpCert | None = None
    conf: Struct | None = None
    mode: MtlsMode = MtlsMode.STRICT
    root_chain: RootChain | None = None

    def builtin_conf(self) -> BuiltinConf:
        """Raises pydantic's ValidationError on a `conf` that validation has not seen."""
        return BuiltinConf.model_validate(self.conf or {})

    def provided_conf(self) -> ProvidedConf:
        """Raises pydantic's ValidationError on a `conf` that validation has not seen."""
        return ProvidedConf.model_validate(self.conf or {})


class Mtls(ProtoModel):
    enabled_backend: str = ""
    backends: tuple[CertificateAuthorityBackend, ...] = ()
    skip_validation: Bool = False


class TracingBackend(ProtoModel):
    name: str = ""
    sampling: float | None = None
    type: str = ""
    conf: Struct | None = None


class Tracing(ProtoModel):
    default_backend: str = ""
    backends: tuple[TracingBackend, ...] = ()


class LoggingBackend(ProtoModel):
    name: str = ""
    format: str = ""
    type: str = ""
    conf: Struct | None = None


class Logging(ProtoModel):
    default_backend: str = ""
    backends: tuple[LoggingBackend, ...] = ()


class MeshMetricsBackend(ProtoModel):
    name: str = ""
    type: str = ""
    conf: Struct | None = None


class Metrics(ProtoModel):
    enabled_backend: str = ""
    backends: tuple[MeshMetricsBackend, ...] = ()


class NetworkingOutbound(ProtoModel):
    passthrough: Bool | None = None


class MeshNetworking(ProtoModel):
    outbound: NetworkingOutbound | None = None


class Routing(ProtoModel):
    locality_aware_load_balancing: Bool = False
    zone_egress: Bool = False
    default_forbid_mesh_external_service_access: Bool = False


class MembershipRules(ProtoModel):
    tags: Tags = Field(default_factory=dict)


class DataplaneProxyConstraints(ProtoModel):
    requirements: tuple[MembershipRules, ...] = ()
    restrictions: tuple[MembershipRules, ...] = ()


class Constraints(ProtoModel):
    dataplane_proxy: DataplaneProxyConstraints | None = None


class MeshServicesMode(StrEnum):
    DISABLED = "Disabled"
    EVERYWHERE = "Everywhere"
    REACHABLE_BACKENDS = "ReachableBackends"
    EXCLUSIVE = "Exclusive"


class MeshServices(ProtoModel):
    mode: MeshServicesMode = MeshServicesMode.DISABLED


class MeshSpec(ProtoModel):
    mtls: Mtls | None = None
    tracing: Tracing | None = None
    logging: Logging | None = None
    metrics: Metrics | None = None
    networking: MeshNetworking | None = None
    routing: Routing | None = None
    constraints: Constraints | None = None
    skip_creating_initial_policies: tuple[str, ...] = ()
    mesh_services: MeshServices | None = None

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
