"""MeshTLS: on which terms proxies speak mutual TLS with each other."""

from kuma.policies.deprecations import deprecated_fields
from kuma.policies.meshtls.model import MeshTlsSpec
from kuma.policies.meshtls.validate import validate
from kuma.policies.synchronization import POLICY
from kuma.resources.kind import Kind, PolicyTraits, Scope

KIND = Kind(
    name="MeshTLS",
    plural="MeshTLSes",
    scope=Scope.MESH,
    spec=MeshTlsSpec,
    path="meshtlses",
    argument="meshtls",
    short="mtls",
    display_plural="Mesh TLSes",
    sync=POLICY,
    policy=PolicyTraits(order=300, has_from=True, has_rules=True, from_as_rules=True),
    validate=validate,
    deprecations=deprecated_fields,
)
