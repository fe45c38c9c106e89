"""MeshTimeout: how long connections and requests may take."""

from kuma.policies.deprecations import deprecated_fields
from kuma.policies.meshtimeout.model import MeshTimeoutSpec
from kuma.policies.meshtimeout.validate import validate
from kuma.policies.synchronization import POLICY
from kuma.resources.kind import Kind, PolicyTraits, Scope

KIND = Kind(
    name="MeshTimeout",
    plural="MeshTimeouts",
    scope=Scope.MESH,
    spec=MeshTimeoutSpec,
    path="meshtimeouts",
    argument="meshtimeout",
    short="mt",
    display_plural="Mesh Timeouts",
    sync=POLICY,
    policy=PolicyTraits(order=1000, has_to=True, has_from=True, has_rules=True, from_as_rules=True),
    validate=validate,
    deprecations=deprecated_fields,
)
