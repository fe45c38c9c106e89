"""MeshTrust: which authorities may vouch for the identities of a trust domain. No keys.

Made by the control plane for a MeshIdentity, or by hand. That the certificates can be read is checked
where they are written; here only that no key is among them.
Source: https://kuma.io/docs/2.14.x/policies/meshtrust
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from kuma.resources.kind import Kind, Scope, Sync
from kuma.resources.match import find_spiffe_id_error
from kuma.resources.resource import Resource
from kuma.resources.spec import Items, SpecModel
from kuma.resources.violation import Violation


class BundleType(StrEnum):
    PEM = "Pem"


class Pem(SpecModel):
    value: str
    """One or more certificates in PEM."""


class CaBundle(SpecModel):
    type: BundleType
    """How the certificates are written."""
    pem: Pem | None = None
    """With type Pem."""


class Origin(SpecModel):
    kri: str | None = None
    """The MeshIdentity that it was made for."""


class MeshTrustSpec(SpecModel):
    trust_domain: Annotated[str, Field(max_length=253)]
    """The trust domain: what stands after `spiffe://` in the identities."""
    ca_bundles: Annotated[tuple[CaBundle, ...], Items(minimum=1)] = Field(alias="caBundles")
    """The authorities; while one is replaced, the old one and the new."""
    origin: Origin | None = None
    """Deprecated and without effect: the control plane writes it into the status."""

    @property
    def pems(self) -> tuple[str, ...]:
        return tuple(each.pem.value for each in self.ca_bundles if each.pem is not None)


class MeshTrustStatus(SpecModel):
    origin: Origin | None = None
    """Where it comes from. Kept by the control plane."""


def _validate(resource: Resource[MeshTrustSpec]) -> tuple[Violation, ...]:
    return tuple(_violations(resource.spec))


def _violations(spec: MeshTrustSpec) -> Iterator[Violation]:
    if not spec.trust_domain:
        yield Violation("spec.trustDomain", "trustDomain needs to be defined")
    # Differs from Kuma, which takes any text.
    elif "/" in spec.trust_domain:
        yield Violation("spec.trustDomain", 'must be a name without "spiffe://" and path')
    elif wrong := find_spiffe_id_error(f"spiffe://{spec.trust_domain}"):
        yield Violation("spec.trustDomain", wrong)
    for index, bundle in enumerate(spec.ca_bundles):
        path = f"spec.caBundles[{index}].pem"
        if bundle.pem is None:
            yield Violation(path, "must be defined")
        elif "PRIVATE KEY-----" in bundle.pem.value:
            yield Violation(f"{path}.value", "must not contain a private key")


def _deprecations(resource: Resource[MeshTrustSpec]) -> tuple[str, ...]:
    return () if resource.spec.origin is None else ("setting spec.origin field is deprecated",)


MESH_TRUST = Kind(
    name="MeshTrust",
    plural="MeshTrusts",
    display_plural="Mesh Trusts",
    scope=Scope.MESH,
    spec=MeshTrustSpec,
    status=MeshTrustStatus,
    path="meshtrusts",
    argument="meshtrust",
    short="mtrust",
    sync=Sync.GLOBAL_TO_ZONES | Sync.ZONE_TO_GLOBAL,
    validate=_validate,
    deprecations=_deprecations,
)
