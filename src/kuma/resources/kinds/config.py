"""Config: the control plane's own key-value pairs, shared by all instances. Not for users."""

from kuma.resources.kind import Kind, Scope, Sync
from kuma.resources.proto_json import ProtoModel


class ConfigSpec(ProtoModel):
    config: str = ""
    """The content."""


CONFIG = Kind(
    name="Config",
    plural="Configs",
    scope=Scope.GLOBAL,
    spec=ConfigSpec,
    spec_at_root=True,
    sync=Sync.GLOBAL_TO_ZONES | Sync.WRITTEN_BY_GLOBAL | Sync.WRITTEN_BY_ZONE,
)
