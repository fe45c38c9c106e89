"""Secret and GlobalSecret: keys, certificates and tokens, of one mesh or of all."""

from pydantic import Field

from kuma.resources.kind import Kind, Scope, Sync
from kuma.resources.proto_json import Base64, ProtoModel


class SecretSpec(ProtoModel):
    """`data` never shows in a repr."""

    data: Base64 | None = Field(default=None, repr=False)
    """The content, in base64. Shown to admins only."""


SECRET = Kind(
    name="Secret",
    plural="Secrets",
    scope=Scope.MESH,
    spec=SecretSpec,
    path="secrets",
    argument="secret",
    spec_at_root=True,
    admin_only=True,
    sync=Sync.GLOBAL_TO_ZONES | Sync.WRITTEN_BY_ZONE,
)

GLOBAL_SECRET = Kind(
    name="GlobalSecret",
    plural="GlobalSecrets",
    display_plural="Global Secrets",
    scope=Scope.GLOBAL,
    spec=SecretSpec,
    path="global-secrets",
    aliases=("globalsecrets",),
    argument="global-secret",
    spec_at_root=True,
    admin_only=True,
    sync=Sync.GLOBAL_TO_ZONES | Sync.WRITTEN_BY_ZONE,
)
