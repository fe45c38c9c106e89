"""MeshProxyPatch as users write it, and Patches, what rides on a plan."""

from enum import StrEnum

from pydantic import Field

from kuma.kit.value import value
from kuma.plan.origin import Origin
from kuma.resources.spec import AnyJson, SpecModel, StringMap
from kuma.resources.target_ref import TargetRef


class JsonPatchOp(StrEnum):
    ADD = "add"
    REMOVE = "remove"
    REPLACE = "replace"
    MOVE = "move"
    COPY = "copy"


class JsonPatchBlock(SpecModel):
    """One operation of RFC 6902."""

    op: JsonPatchOp
    """What to do."""
    path: str
    """Where, as a JSON pointer such as `/connectTimeout`; field names as in Envoy's JSON."""
    value: AnyJson | None = None
    """What to put there, for add and replace."""
    from_: str | None = Field(default=None, alias="from")
    """Where from, for move and copy."""


class ResourceOperation(StrEnum):
    """On resources that stand for themselves."""

    ADD = "Add"
    REMOVE = "Remove"
    PATCH = "Patch"


class FilterOperation(StrEnum):
    """On filters, whose order matters."""

    REMOVE = "Remove"
    PATCH = "Patch"
    ADD_FIRST = "AddFirst"
    ADD_BEFORE = "AddBefore"
    ADD_AFTER = "AddAfter"
    ADD_LAST = "AddLast"


class ClusterMatch(SpecModel):
    origin: str | None = None
    """What the cluster was made for: `inbound`, `outbound`, `admin` and so on."""
    name: str | None = None
    """Name of the cluster."""


class ListenerMatch(SpecModel):
    origin: str | None = None
    """What the listener was made for: `inbound`, `outbound`, `admin` and so on."""
    name: str | None = None
    """Name of the listener."""
    tags: StringMap | None = None
    """Tags in the listener's metadata `io.kuma.tags`; `*` stands for any value."""


class FilterMatch(SpecModel):
    origin: str | None = None
    """What the listener was made for: `inbound`, `outbound`, `admin` and so on."""
    name: str | None = None
    """Name of the filter."""
    listener_name: str | None = None
    """Name of the listener that the filter is in."""
    listener_tags: StringMap | None = None
    """Tags in that listener's metadata `io.kuma.tags`; `*` stands for any value."""


class VirtualHostMatch(SpecModel):
    origin: str | None = None
    """What the routes were made for: `inbound`, `outbound` and so on."""
    name: str | None = None
    """Name of the virtual host."""
    route_configuration_name: str | None = None
    """Name of the route configuration that the virtual host is in."""


class ClusterMod(SpecModel):
    match: ClusterMatch | None = None
    """Which clusters. Left out: all."""
    operation: ResourceOperation
    """What to do with them."""
    value: str | None = None
    """A cluster of Envoy in YAML: what to add, or what to merge in."""
    json_patches: tuple[JsonPatchBlock, ...] | None = None
    """Changes to single fields, instead of `value`."""


class ListenerMod(SpecModel):
    match: ListenerMatch | None = None
    """Which listeners. Left out: all."""
    operation: ResourceOperation
    """What to do with them."""
    value: str | None = None
    """A listener of Envoy in YAML: what to add, or what to merge in."""
    json_patches: tuple[JsonPatchBlock, ...] | None = None
    """Changes to single fields, instead of `value`."""


class NetworkFilterMod(SpecModel):
    match: FilterMatch | None = None
    """Which network filters, or, to add one, where. Left out: all."""
    operation: FilterOperation
    """What to do with them."""
    value: str | None = None
    """A network filter of Envoy in YAML: what to add, or what to merge in."""
    json_patches: tuple[JsonPatchBlock, ...] | None = None
    """Changes to single fields of the filter's configuration, instead of `value`."""


class HttpFilterMod(SpecModel):
    match: FilterMatch | None = None
    """Which HTTP filters, or, to add one, where. Left out: all."""
    operation: FilterOperation
    """What to do with them."""
    value: str | None = None
    """An HTTP filter of Envoy in YAML: what to add, or what to merge in."""
    json_patches: tuple[JsonPatchBlock, ...] | None = None
    """Changes to single fields of the filter's configuration, instead of `value`."""


class VirtualHostMod(SpecModel):
    match: VirtualHostMatch
    """Which virtual hosts, or, to add one, in which route configurations."""
    operation: ResourceOperation
    """What to do with them."""
    value: str | None = None
    """A virtual host of Envoy in YAML: what to add, or what to merge in."""
    json_patches: tuple[JsonPatchBlock, ...] | None = None
    """Changes to single fields, instead of `value`."""


AnyMod = ClusterMod | ListenerMod | NetworkFilterMod | HttpFilterMod | VirtualHostMod


class Modification(SpecModel):
    """Exactly one of these."""

    cluster: ClusterMod | None = None
    """A change to clusters."""
    listener: ListenerMod | None = None
    """A change to listeners."""
    network_filter: NetworkFilterMod | None = None
    """A change to the network filters of listeners, in all their filter chains."""
    http_filter: HttpFilterMod | None = None
    """A change to the HTTP filters of listeners, in all their connection managers."""
    virtual_host: VirtualHostMod | None = None
    """A change to the virtual hosts in route configurations."""

    @property
    def defined(self) -> tuple[AnyMod, ...]:
        """What is set, which validation makes one."""
        found = (self.cluster, self.listener, self.network_filter, self.http_filter)
        return tuple(each for each in (*found, self.virtual_host) if each is not None)


class ProxyPatchConf(SpecModel):
    append_modifications: tuple[Modification, ...] | None = None
    """Done in this order; those of several policies follow each other, the weakest first."""


class MeshProxyPatchSpec(SpecModel):
    target_ref: TargetRef | None = None
    """The proxies that the policy configures. Left out: all of the mesh."""
    default: ProxyPatchConf
    """What to change."""


@value
class Patch:
    """A modification, and where it is written: its policy and its position there."""

    mod: AnyMod
    origin: Origin
    position: int


@value
class Patches:
    """In the order in which they are done."""

    patches: tuple[Patch, ...]
