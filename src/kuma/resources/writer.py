"""The one way to change resources: read, admit, commit, and again if somebody else was faster.

REST, kuma-dp's registration, boot defaults and kumactl's demo write through it. What is written here
was admitted; a PUT of what is there already writes nothing and wakes nobody.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import cast

from kuma.kit import aside
from kuma.kit.clock import Clock
from kuma.kit.value import value
from kuma.resources.admission import Check, admit, check_delete, owner_of, spec_as
from kuma.resources.codec import document_bytes
from kuma.resources.computed_labels import Place
from kuma.resources.errors import AlreadyExists, Conflict, MeshNotFound, NotFound, ResourceError
from kuma.resources.kinds.mesh import MESH, MeshSpec
from kuma.resources.kinds.mesh.ca_backends import BUILTIN, builtin_secret_names
from kuma.resources.kinds.secret import SECRET
from kuma.resources.meta import ResourceKey
from kuma.resources.registry import Registry
from kuma.resources.replica import Replica
from kuma.resources.resource import AnyResource, Resource
from kuma.resources.store import Create, Delete, Store, Update, Write

Companions = Callable[[AnyResource], Sequence[AnyResource]]
"""The resources that a new one brings along. Runs in a thread: it may generate keys."""

_ATTEMPTS = 5


@value
class Put:
    """`resource` as it is stored now."""

    resource: AnyResource
    created: bool
    warnings: tuple[str, ...] = ()


class Writer:
    """`companions` and `checks` are by kind.

    Companions are created in the same commit as the resource that brings them, which owns them. When
    a Mesh is updated, only the Secrets of builtin authorities that have none yet are created.
    """

    def __init__(
        self,
        store: Store,
        replica: Replica,
        registry: Registry,
        clock: Clock,
        *,
        zone: str,
        environment: str = "universal",
        mode: str = "zone",
        companions: Mapping[str, Companions] | None = None,
        checks: Mapping[str, Check] | None = None,
        unsafe_delete: bool = False,
    ) -> None:
        self._store = store
        self._replica = replica
        self._registry = registry
        self._clock = clock
        self._place = Place(zone, environment, mode)
        self._companions = companions or {}
        self._checks = checks or {}
        self._unsafe_delete = unsafe_delete

    async def put(self, resource: AnyResource, *, size: int = 0, afresh: bool = False) -> Put:
        """Create or replace; `resource.meta.version` and `status` do not matter. `size` is that of the
        document in bytes: a large one is admitted aside, so that nobody waits for it. `afresh`: also
        what is there already gets a new version, so that `delete` of what was seen before fails.

        Raises InvalidResource, MeshNotFound, and Conflict if others keep changing it meanwhile.
        """
        existing = self._replica.find(resource.key)
        attempts_left = _ATTEMPTS
        while True:
            try:
                return await self._put_over(existing, resource, size, afresh)
            except (Conflict, AlreadyExists, NotFound) as error:
                attempts_left -= 1
                if not attempts_left:
                    raise _as_told(error, resource) from error
            existing = await self._store.find(resource.key)

    async def update(self, resource: AnyResource) -> AnyResource:
        """Replace, spec and status, the version that `resource.meta` names; a large one is admitted
        aside.

        Raises what `put` does, and NotFound; a Conflict is the caller's to solve.
        """
        existing = await self._read(resource.key)
        admitted = await self._admit(resource, existing, len(document_bytes(resource)))
        if existing.meta.version == resource.meta.version and existing.same_content(admitted):
            return existing
        [stored] = await self._store.commit([Update(admitted)])
        return stored

    async def delete(self, key: ResourceKey, *, seen: AnyResource | None = None) -> None:
        """With all that it owns. Raises NotFound, Refused while something depends on it, and Conflict
        if it was written since it was `seen`."""
        existing = await self._read(key)
        if seen is not None and seen.meta != existing.meta:
            raise Conflict(key)
        if not self._unsafe_delete:
            check_delete(existing, self._replica)
        await self._store.commit([Delete(key, existing.meta.version if seen else None)])

    async def _put_over(
        self, existing: AnyResource | None, resource: AnyResource, size: int, afresh: bool
    ) -> Put:
        """Raises Conflict or AlreadyExists if the database holds something else than `existing`."""
        if existing is None:
            return await self._create(resource, size)
        versioned = _at_version(replace(resource, status=existing.status), existing)
        admitted = await self._admit(versioned, existing, size)
        warnings = admitted.kind.deprecations(admitted)
        secrets = await self._missing_secrets(admitted)
        same = not afresh and await aside.work(size, lambda: existing.same_content(admitted))
        if same and not secrets:
            await self._confirm(existing)
            return Put(existing, created=False, warnings=warnings)
        stored = await self._store.commit([Update(admitted), *secrets])
        return Put(stored[0], created=False, warnings=warnings)

    async def _confirm(self, existing: AnyResource) -> None:
        """Another instance may have written what this one has not heard of yet, and a write must not
        be dropped because it equals the state before that. Raises Conflict."""
        stored = await self._store.find(existing.key)
        if stored is None or stored.meta != existing.meta:
            raise Conflict(existing.key)

    async def _create(self, resource: AnyResource, size: int) -> Put:
        admitted = await self._admit(self._as_new(replace(resource, status=None)), None, size)
        companions = [Create(each, owner=admitted.key) for each in await self._bring(admitted)]
        stored = await self._store.commit([Create(admitted, owner=owner_of(admitted)), *companions])
        return Put(stored[0], created=True, warnings=admitted.kind.deprecations(admitted))

    async def _admit(
        self, resource: AnyResource, existing: AnyResource | None, size: int = 0
    ) -> AnyResource:
        self._registry.kind(resource.kind.name)  # what is not registered could not be read back
        mesh = await self._mesh_of(resource) if resource.kind.is_mesh_scoped else None
        return await aside.work(size, lambda: self._admit_into(mesh, resource, existing))

    def _admit_into(
        self,
        mesh: Resource[MeshSpec] | None,
        resource: AnyResource,
        existing: AnyResource | None,
    ) -> AnyResource:
        check = self._checks.get(resource.kind.name)
        return admit(
            resource,
            existing,
            mesh=mesh,
            view=self._replica,
            place=self._place,
            checks=() if check is None else (check,),
        )

    async def _mesh_of(self, resource: AnyResource) -> Resource[MeshSpec] | None:
        """A mesh that this instance has not heard of may have been created at another just now."""
        key = ResourceKey(MESH.name, "", resource.mesh)
        mesh = self._replica.find(key) or await self._store.find(key)
        return cast("Resource[MeshSpec] | None", mesh)

    async def _bring(self, admitted: AnyResource) -> list[AnyResource]:
        companions = self._companions.get(admitted.kind.name)
        if companions is None:
            return []
        mesh = cast("Resource[MeshSpec]", admitted) if admitted.kind is MESH else None
        brought = await asyncio.to_thread(companions, admitted)
        return [self._admit_into(mesh, self._as_new(each), None) for each in brought]

    async def _missing_secrets(self, admitted: AnyResource) -> list[Write]:
        """The Secrets of builtin authorities of which a part is missing: both parts, so that the
        certificate and the key belong together."""
        spec = spec_as(MeshSpec, admitted)
        wanted: set[str] = set()
        for backend in spec.backends if spec else ():
            names = builtin_secret_names(admitted.name, backend.name)
            if backend.type == BUILTIN and not all(
                self._replica.find(ResourceKey(SECRET.name, admitted.name, name)) for name in names
            ):
                wanted.update(names)
        if not wanted:
            return []
        brought = await self._bring(admitted)
        return [
            self._overwrite(secret, owner=admitted.key)
            for secret in brought
            if secret.kind is SECRET and secret.name in wanted
        ]

    def _overwrite(self, resource: AnyResource, *, owner: ResourceKey) -> Write:
        existing = self._replica.find(resource.key)
        if existing is None:
            return Create(resource, owner=owner)
        return Update(_at_version(resource, existing))

    async def _read(self, key: ResourceKey) -> AnyResource:
        existing = await self._store.find(key)
        if existing is None:
            raise NotFound(key)
        return existing

    def _as_new(self, resource: AnyResource) -> AnyResource:
        now = self._clock.now()
        meta = replace(resource.meta, version=0, creation_time=now, modification_time=now)
        return replace(resource, meta=meta)


def _as_told(error: ResourceError, resource: AnyResource) -> ResourceError:
    """A mesh that the replica holds still, but the database no longer, is one that is not there."""
    if isinstance(error, NotFound) and error.key == ResourceKey(MESH.name, "", resource.mesh):
        return MeshNotFound(resource.mesh)
    return error


def _at_version(resource: AnyResource, existing: AnyResource) -> AnyResource:
    return replace(
        resource,
        meta=replace(
            resource.meta,
            version=existing.meta.version,
            creation_time=existing.meta.creation_time,
            modification_time=existing.meta.modification_time,
        ),
    )
