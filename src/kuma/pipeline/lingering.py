"""What MeshIdentities said until a moment ago: servers are still believed under those SPIFFE IDs.

A proxy that changes to another identity and its callers hear of that at different moments, so an ID that
is taken away stays acceptable for a while, as one that is given is announced ahead.

    change of a MeshIdentity -> the one before, an input of the engine -> gone after SPREAD
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from kuma.kit.incremental import Engine
from kuma.pipeline.credentials import SPREAD
from kuma.pipeline.view import of_kind_input
from kuma.resolve.identities import LINGERING
from kuma.resources.kinds.mesh_identity import MESH_IDENTITY, MeshIdentityStatus
from kuma.resources.meta import ResourceKey
from kuma.resources.resource import AnyResource
from kuma.resources.store import Change


class Lingering:
    """Subscribe `changed` to the replica."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._held: dict[ResourceKey, AnyResource] = {}
        self._left: dict[str, list[AnyResource]] = defaultdict(list)

    def changed(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.key.kind != MESH_IDENTITY.name:
                continue
            before = self._held.pop(change.key, None)
            if change.resource is not None:
                self._held[change.key] = change.resource
            if before is not None and _is_announced(before) and _says_less(change.resource, before):
                self._left[before.mesh].append(before)
                self._write(before.mesh)
                loop = asyncio.get_running_loop()
                loop.call_later(SPREAD.total_seconds(), self._drop, before)

    def _drop(self, resource: AnyResource) -> None:
        left = self._left[resource.mesh]
        left.remove(resource)
        self._write(resource.mesh)
        if not left:
            del self._left[resource.mesh]

    def _write(self, mesh: str) -> None:
        self._engine.set(of_kind_input(mesh, LINGERING), tuple(self._left[mesh]) or None)


def _is_announced(resource: AnyResource) -> bool:
    return isinstance(resource.status, MeshIdentityStatus) and resource.status.is_announced


def _says_less(after: AnyResource | None, before: AnyResource) -> bool:
    return after is None or after.spec != before.spec or not _is_announced(after)
