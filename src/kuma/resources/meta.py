"""Who a resource is: its key, and what every resource has besides a spec."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple


class ResourceKey(NamedTuple):
    """Identifies one resource. `mesh` is empty for global-scoped kinds."""

    kind: str
    mesh: str
    name: str

    def __str__(self) -> str:
        of_mesh = f' of mesh "{self.mesh}"' if self.mesh else ""
        return f'{self.kind} "{self.name}"{of_mesh}'


@dataclass(frozen=True, slots=True)
class ResourceMeta:
    """`version` counts the writes of this resource, from 1; 0 is not stored yet."""

    mesh: str
    name: str
    version: int
    creation_time: datetime
    modification_time: datetime
    labels: Mapping[str, str] = field(default_factory=dict)
