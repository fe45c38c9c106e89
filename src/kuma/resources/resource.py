"""A resource: kind, metadata, spec and perhaps status. Immutable; a change is a new value."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from kuma.resources import labels as well_known
from kuma.resources.kind import Kind
from kuma.resources.meta import ResourceKey, ResourceMeta
from kuma.resources.spec import SpecModel

S_co = TypeVar("S_co", bound=SpecModel, covariant=True)


@dataclass(frozen=True)
class Resource(Generic[S_co]):
    kind: Kind[S_co]
    meta: ResourceMeta
    spec: S_co
    status: SpecModel | None = None

    @property
    def key(self) -> ResourceKey:
        return ResourceKey(self.kind.name, self.meta.mesh, self.meta.name)

    @property
    def mesh(self) -> str:
        return self.meta.mesh

    @property
    def name(self) -> str:
        return self.meta.name

    @property
    def labels(self) -> Mapping[str, str]:
        return self.meta.labels

    @property
    def display_name(self) -> str:
        return self.meta.labels.get(well_known.DISPLAY_NAME) or self.meta.name

    def with_labels(self, labels: Mapping[str, str]) -> "Resource[S_co]":
        return replace(self, meta=replace(self.meta, labels=dict(labels)))

    def same_content(self, other: "Resource[SpecModel]") -> bool:
        """Whether writing `other` over this one would change nothing that a reader can see."""
        return (
            self.spec == other.spec
            and self.status == other.status
            and self.meta.labels == other.meta.labels
        )


AnyResource = Resource[SpecModel]
