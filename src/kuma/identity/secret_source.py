"""Where secrets are read from: the part of the Replica that identities need, and no more."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol, cast

from kuma.resources.kinds.secret import GLOBAL_SECRET, SECRET, SecretSpec
from kuma.resources.meta import ResourceKey, ResourceMeta
from kuma.resources.resource import AnyResource, Resource


class SecretFinder(Protocol):
    def find(self, key: ResourceKey) -> AnyResource | None: ...


class SecretSource(SecretFinder, Protocol):
    """The Replica is one."""

    def list(self, kind: str, mesh: str | None = None) -> Sequence[AnyResource]: ...


def secret_key(mesh: str, name: str) -> ResourceKey:
    """A Secret of `mesh`, or a GlobalSecret if `mesh` is empty."""
    kind = SECRET if mesh else GLOBAL_SECRET
    return ResourceKey(kind.name, mesh, name)


def find_secret(source: SecretFinder, key: ResourceKey) -> bytes | None:
    found = source.find(key)
    return None if found is None else secret_data(found)


def secret_data(resource: Resource[Any]) -> bytes:
    data: bytes | None = cast("SecretSpec", resource.spec).data
    return data or b""


def new_secret(key: ResourceKey, data: bytes, *, now: datetime) -> Resource[SecretSpec]:
    """A secret that is not stored yet."""
    kind = SECRET if key.mesh else GLOBAL_SECRET
    meta = ResourceMeta(key.mesh, key.name, version=0, creation_time=now, modification_time=now)
    return Resource(kind, meta, SecretSpec(data=data))
