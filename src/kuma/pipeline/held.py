"""Dataplanes of connected proxies, which count for themselves as long as they are connected.

    deleted, and connected -> the last one stays the engine's input, until the proxy goes

So who deletes the Dataplane of a running proxy takes it out of everybody's way and does not take the
ground from under its own workload: that goes on calling, with certificates and under policies in force.

# Differs from Kuma: there such a proxy keeps the configuration that it has, and gets no other.
"""

from typing import Any

from kuma.kit.incremental import Engine
from kuma.resources.kinds.mesh import MESH
from kuma.resources.meta import ResourceKey
from kuma.resources.resource import AnyResource


class HeldDataplanes:
    """Of one mesh's death its proxies do not live on: nobody would say whom they may trust."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._held: set[ResourceKey] = set()
        self._deleted: set[ResourceKey] = set()

    def hold(self, key: ResourceKey) -> None:
        """The proxy of the Dataplane `key` is connected."""
        self._held.add(key)

    def let_go(self, key: ResourceKey) -> None:
        """It is not any more."""
        self._held.discard(key)
        self._forget(key)

    def find(self, key: ResourceKey) -> Any:
        """A Dataplane that was deleted, and is held; None: it is not."""
        return self._engine.peek(key) if key in self._deleted else None

    def put(self, key: ResourceKey, resource: AnyResource | None) -> None:
        """What has become of a Dataplane."""
        if resource is None and key in self._held and self._has_mesh(key.mesh):
            self._deleted.add(key)
            return
        self._deleted.discard(key)
        self._engine.set(key, resource)

    def mesh_is_gone(self, mesh: str) -> None:
        for key in [each for each in self._deleted if each.mesh == mesh]:
            self._forget(key)

    def _has_mesh(self, mesh: str) -> bool:
        return self._engine.peek(ResourceKey(MESH.name, "", mesh)) is not None

    def _forget(self, key: ResourceKey) -> None:
        if key in self._deleted:
            self._deleted.discard(key)
            self._engine.set(key, None)
