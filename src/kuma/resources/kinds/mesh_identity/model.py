"""MeshIdentity as users write it, and its status."""

from enum import StrEnum

from pydantic import Field

from kuma.resources.kinds.conditions import Condition, ConditionsStatus, ConditionStatus
from kuma.resources.kinds.secure_data_source import SecureDataSource
from kuma.resources.kinds.service_status import MatchLabels
from kuma.resources.spec import AnyJson, Duration, SpecModel

READY = "Ready"
PROVIDER = "Provider"
SPIFFE_ID_PROVIDER = "SpiffeIDProvider"
MESH_TRUST_CREATED = "MeshTrustCreated"
DEPENDENCIES_READY = "DependenciesReady"

PREPARING = "Preparing"
"""Reason while proxies are told of an identity that none of them uses yet."""
PARTIALLY_READY = "PartiallyReady"
"""Reason for an identity that only says who proxies are."""


class Selector(SpecModel):
    dataplane: MatchLabels | None = None
    """Dataplanes by their labels; without any label, all. Left out: none."""


class SpiffeId(SpecModel):
    trust_domain: str | None = None
    """Template of the trust domain, with .Mesh, .Zone and label. Left out:
    `{{ .Mesh }}.{{ .Zone }}.mesh.local`."""
    path: str | None = None
    """Template of the path, with .Workload, .Namespace, .ServiceAccount, .TrustDomain and label.
    Left out: `/workload/{{ .Workload }}`."""


class ProviderType(StrEnum):
    BUNDLED = "Bundled"
    SPIRE = "Spire"
    EXTENSION = "Extension"


class MeshTrustCreation(StrEnum):
    ENABLED = "Enabled"
    DISABLED = "Disabled"


class Autogenerate(SpecModel):
    enabled: bool | None = None
    """Whether the control plane makes the authority's certificate and key."""


class Authority(SpecModel):
    certificate: SecureDataSource | None = None
    """The authority's certificate, in PEM, followed by those that signed it."""
    private_key: SecureDataSource | None = None
    """Its key, in PEM."""


class CertificateParameters(SpecModel):
    expiry: Duration | None = None
    """How long a proxy's certificate is valid. Left out: 24h."""


class Bundled(SpecModel):
    mesh_trust_creation: MeshTrustCreation | None = None
    """Whether a MeshTrust with the authority's certificate is made. Left out: Enabled."""
    insecure_allow_self_signed: bool | None = None
    """Whether the authority may be its own root; one that is made always is."""
    autogenerate: Autogenerate | None = None
    """Let the control plane make the authority."""
    ca: Authority | None = None
    """The authority, if it is not made."""
    certificate_parameters: CertificateParameters | None = None
    """What the certificates of proxies are like."""

    @property
    def is_generated(self) -> bool:
        return self.autogenerate is not None and bool(self.autogenerate.enabled)

    @property
    def creates_trust(self) -> bool:
        return self.mesh_trust_creation is not MeshTrustCreation.DISABLED


class SpireAgent(SpecModel):
    timeout: Duration | None = None
    """How long a proxy waits for a connection to the agent. Left out: 1s."""


class Spire(SpecModel):
    agent: SpireAgent | None = None
    """The SPIRE agent on the machine of the proxy."""


class Extension(SpecModel):
    name: str
    """Name of the extension."""
    config: AnyJson | None = None
    """Its configuration."""


class Provider(SpecModel):
    type: ProviderType
    """Who issues the certificates; this version has Bundled and Spire."""
    bundled: Bundled | None = None
    """With type Bundled: the control plane issues them."""
    spire: Spire | None = None
    """With type Spire: the SPIRE agent issues them."""
    extension: Extension | None = None
    """With type Extension: an extension issues them."""


class MeshIdentitySpec(SpecModel):
    selector: Selector | None = None
    """The proxies that have this identity. Of several the one with the most labels counts, then
    the one whose name comes first."""
    spiffe_id: SpiffeId | None = Field(default=None, alias="spiffeID")
    """What the SPIFFE IDs of the proxies are like."""
    provider: Provider | None = None
    """Who issues the certificates. Left out: nobody; the proxies' SPIFFE IDs are made known only."""

    @property
    def bundled(self) -> Bundled | None:
        return self.provider.bundled if self.provider is not None else None

    @property
    def spire(self) -> Spire | None:
        return self.provider.spire if self.provider is not None else None


class MeshIdentityStatus(ConditionsStatus):
    @property
    def ready(self) -> Condition | None:
        return self.find(READY)

    @property
    def is_ready(self) -> bool:
        """Proxies have it."""
        return self.ready is not None and self.ready.status is ConditionStatus.TRUE

    @property
    def is_announced(self) -> bool:
        """Proxies may meet it: they have it, or will have it."""
        reason = self.ready.reason if self.ready is not None else ""
        return self.is_ready or reason in {PREPARING, PARTIALLY_READY}
