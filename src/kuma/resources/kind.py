"""The one declaration of a resource kind, from which routes, CLI, OpenAPI and docs are derived."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, Flag, auto
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from kuma.resources.spec import SpecModel
from kuma.resources.violation import Violation

if TYPE_CHECKING:
    from kuma.resources.backend_resource_ref import BackendResourceRef
    from kuma.resources.resource import Resource

S_co = TypeVar("S_co", bound=SpecModel, covariant=True)


class Scope(Enum):
    GLOBAL = "Global"
    MESH = "Mesh"


class Sync(Flag):
    """Where a kind is written and which way it travels between global and zones."""

    NONE = 0
    GLOBAL_TO_ZONES = auto()
    ZONE_TO_GLOBAL = auto()
    ACROSS_ZONES = auto()
    WRITTEN_BY_GLOBAL = auto()
    WRITTEN_BY_ZONE = auto()


@dataclass(frozen=True)
class PolicyTraits:
    """What is particular to targetRef policies. `order` is the order of application."""

    order: int
    has_to: bool = False
    has_from: bool = False
    has_rules: bool = False
    from_as_rules: bool = False


@dataclass(frozen=True)
class Kind(Generic[S_co]):
    """`path` is the REST segment (`meshtimeouts`); empty: the kind has no REST routes.
    `argument` is kumactl's singular (`meshtimeout`); empty: no kumactl verbs.
    `spec_at_root`: the spec's fields stand beside `name` and `mesh` (older kinds).
    `validate` gets the resource about to be written and returns violations with full paths.
    `default` returns the spec with its defaults filled in, before validation.
    `deprecations` returns warnings for the user about a resource that is accepted.
    `ports` are those of a destination of traffic: the number and the name of each; None: the kind
    is no destination.
    `backend_refs` are a policy's references to collectors, each with its path.
    """

    name: str
    plural: str
    scope: Scope
    spec: type[S_co]
    path: str = ""
    aliases: tuple[str, ...] = ()
    argument: str = ""
    short: str = ""
    status: type[SpecModel] | None = None
    spec_at_root: bool = False
    read_only: bool = False
    admin_only: bool = False
    sync: Sync = Sync.NONE
    policy: PolicyTraits | None = None
    display_plural: str = ""
    validate: "Callable[[Resource[Any]], tuple[Violation, ...]]" = field(
        default=lambda _resource: (), compare=False
    )
    default: "Callable[[Any], Any]" = field(default=lambda spec: spec, compare=False)
    deprecations: "Callable[[Resource[Any]], tuple[str, ...]]" = field(
        default=lambda _resource: (), compare=False
    )
    ports: "Callable[[Any], tuple[tuple[int, str], ...]] | None" = field(
        default=None, compare=False
    )
    backend_refs: "Callable[[Any], tuple[tuple[str, BackendResourceRef], ...]] | None" = field(
        default=None, compare=False
    )

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def is_mesh_scoped(self) -> bool:
        return self.scope is Scope.MESH

    @property
    def is_target_ref_policy(self) -> bool:
        return self.policy is not None


AnyKind = Kind[SpecModel]
