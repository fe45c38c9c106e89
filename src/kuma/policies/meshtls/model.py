"""MeshTLS as users write it, and TlsConf, what is left after merging."""

from enum import StrEnum

from pydantic import Field

from kuma.plan.tls import TlsMode
from kuma.resources.spec import SpecModel
from kuma.resources.target_ref import TargetRef


class Version(StrEnum):
    AUTO = "TLSAuto"
    TLS10 = "TLS10"
    TLS11 = "TLS11"
    TLS12 = "TLS12"
    TLS13 = "TLS13"


class Cipher(StrEnum):
    ECDSA_AES_128 = "ECDHE-ECDSA-AES128-GCM-SHA256"
    ECDSA_AES_256 = "ECDHE-ECDSA-AES256-GCM-SHA384"
    ECDSA_CHACHA = "ECDHE-ECDSA-CHACHA20-POLY1305"
    RSA_AES_128 = "ECDHE-RSA-AES128-GCM-SHA256"
    RSA_AES_256 = "ECDHE-RSA-AES256-GCM-SHA384"
    RSA_CHACHA = "ECDHE-RSA-CHACHA20-POLY1305"


class Versions(SpecModel):
    min: Version = Version.AUTO
    """The oldest version. TLSAuto: TLS12."""
    max: Version = Version.AUTO
    """The newest version. TLSAuto: TLS13."""


class TlsConf(SpecModel):
    tls_version: Versions | None = None
    """Versions of TLS, in both directions; only where the policy is for the whole mesh."""
    tls_ciphers: tuple[Cipher, ...] | None = None
    """Ciphers of versions before TLS13, in both directions; only where the policy is for the whole
    mesh. Default: what Envoy offers."""
    mode: TlsMode | None = None
    """Whether an inbound takes calls without mutual TLS as well. Default: as the mesh has it."""


class From(SpecModel):
    target_ref: TargetRef
    """The clients: Mesh, that is all."""
    default: TlsConf = TlsConf()
    """The terms of TLS with them."""


class Rule(SpecModel):
    default: TlsConf = TlsConf()
    """The terms of TLS with the clients."""


class MeshTlsSpec(SpecModel):
    target_ref: TargetRef | None = None
    """The proxies that the policy configures. Left out: all of the mesh."""
    from_: tuple[From, ...] | None = Field(default=None, alias="from")
    """For calls that these proxies receive; `rules` is the newer form."""
    rules: tuple[Rule, ...] | None = None
    """For calls that these proxies receive."""
