"""What can go wrong with resources. The class says what the caller should do.

ResourceError
├── NotFound         tell the user: there is no such resource
├── AlreadyExists    read again: somebody created it first
├── Conflict         read again: somebody changed it first
├── InvalidResource  tell the user: every violation, with its field path
├── MeshNotFound     tell the user: the mesh of a resource does not exist
├── Refused          tell the user: valid, but not allowed in the present state (a delete, ...)
└── Unavailable      retry later: the store does not answer
"""

from kuma.resources.meta import ResourceKey
from kuma.resources.violation import Violation


class ResourceError(Exception):
    """Root of the tree above."""


class NotFound(ResourceError):
    def __init__(self, key: ResourceKey) -> None:
        super().__init__(f"{key} is not found")
        self.key = key


class AlreadyExists(ResourceError):
    def __init__(self, key: ResourceKey) -> None:
        super().__init__(f"{key} already exists")
        self.key = key


class Conflict(ResourceError):
    def __init__(self, key: ResourceKey) -> None:
        super().__init__(f"{key} was changed by someone else in the meantime")
        self.key = key


class MeshNotFound(ResourceError):
    def __init__(self, mesh: str) -> None:
        super().__init__(f'mesh "{mesh}" is not found')
        self.mesh = mesh


class InvalidResource(ResourceError):
    def __init__(self, violations: tuple[Violation, ...]) -> None:
        super().__init__("; ".join(f"{v.field}: {v.message}" for v in violations))
        self.violations = violations


class Refused(ResourceError):
    """`violations` names the fields or resources that stand in the way."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        super().__init__("; ".join(f"{v.field}: {v.message}" for v in violations))
        self.violations = violations


class Unavailable(ResourceError):
    """The store does not answer; `reason` is for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
