"""Writes on a MemoryStore, and on one where somebody else is always a little faster."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from kuma.kit import aside
from kuma.kit.clock import ManualClock
from kuma.resources.errors import (
    Conflict,
    InvalidResource,
    MeshNotFound,
    NotFound,
    Refused,
)
from kuma.resources.kinds.catalogue import CORE_KINDS
from kuma.resources.kinds.mesh import MeshSpec
from kuma.resources.kinds.mesh.ca_backends import builtin_secret_names
from kuma.resources.meta import ResourceKey
from kuma.resources.registry import Registry, UnknownKind
from kuma.resources.replica import Replica
from kuma.resources.resource import AnyResource
from kuma.resources.store import Change, Create, Update, Write
from kuma.resources.violation import Violation
from kuma.resources.writer import Companions, Writer
from kuma.stores.memory import MemoryStore
from tests.support.builders import (
    NOW,
    a_dataplane,
    a_dataplane_insight,
    a_mesh,
    a_secret,
    an_external_service,
)

REGISTRY = Registry(CORE_KINDS)
MESH_KEY = ResourceKey("Mesh", "", "default")


class RacedStore(MemoryStore):
    """`rivals` are writes of others that land just before each of ours, one per commit."""

    rivals: list[Sequence[Write]]

    async def commit(self, writes: Sequence[Write]) -> list[AnyResource]:
        if self.rivals:
            await super().commit(self.rivals.pop(0))
        return await super().commit(writes)


class World:
    """A store with the mesh `default`, a writer to it, and what readers were told."""

    def __init__(
        self, *, companions: Companions | None = None, unsafe_delete: bool = False
    ) -> None:
        self.clock = ManualClock(NOW)
        self.store = RacedStore(REGISTRY, self.clock)
        self.store.rivals = []
        self.replica = Replica()
        self.told: list[Change] = []
        self.writer = Writer(
            self.store,
            self.replica,
            REGISTRY,
            self.clock,
            zone="east",
            companions={"Mesh": companions} if companions else None,
            checks={"Secret": _not_empty},
            unsafe_delete=unsafe_delete,
        )

    async def start(self) -> "World":
        await self.store.start(self.replica)
        await self.writer.put(a_mesh())
        self.replica.subscribe(self.told.extend)
        return self

    def names(self, kind: str) -> list[str]:
        return [each.name for each in self.replica.list(kind)]


def _not_empty(resource: AnyResource, _view: object) -> list[Violation]:
    return [Violation("data", "empty")] if resource == replace(resource, spec=_EMPTY) else []


_EMPTY = a_secret(data=b"").spec


async def a_world(*, unsafe_delete: bool = False) -> World:
    return await World(unsafe_delete=unsafe_delete).start()


def authority_secrets(mesh: AnyResource) -> Sequence[AnyResource]:
    """As many generations of a key as calls, so that pairs can be told apart."""
    assert isinstance(mesh.spec, MeshSpec)
    generation = next(_generations)
    return [
        a_secret(name, generation, mesh=mesh.name)
        for backend in mesh.spec.backends
        for name in builtin_secret_names(mesh.name, backend.name)
    ] + [a_secret("signing-key", generation, mesh=mesh.name)]


_generations = (f"generation {number}".encode() for number in range(1000))


async def test_a_new_resource_is_created_with_its_labels_and_tags() -> None:
    world = await a_world()
    put = await world.writer.put(a_dataplane("d", inbounds=[{"port": 1}]))
    assert put.created
    assert put.resource.meta.version == 1
    assert put.resource.labels["kuma.io/zone"] == "east"
    assert world.replica.find(put.resource.key) == put.resource
    assert await world.store.find(put.resource.key) == put.resource


async def test_an_existing_one_is_replaced_and_keeps_its_creation_time() -> None:
    world = await a_world()
    await world.writer.put(a_dataplane())
    world.clock.advance(timedelta(minutes=1))
    put = await world.writer.put(a_dataplane(port=9090))
    assert not put.created
    meta = put.resource.meta
    assert (meta.version, meta.creation_time) == (2, NOW)
    assert meta.modification_time == NOW + timedelta(minutes=1)


async def test_the_same_content_writes_nothing_and_tells_nobody() -> None:
    world = await a_world()
    first = await world.writer.put(a_dataplane(labels={"app": "x"}))
    world.told.clear()
    for same in (a_dataplane(labels={"app": "x"}), first.resource):
        put = await world.writer.put(same)
        assert put.resource == first.resource
    assert world.told == []


async def test_the_state_of_the_database_counts_not_that_of_the_replica() -> None:
    """Another instance changed A to B; a PUT of A here must not pass for no change."""
    world = await a_world()
    stored = (await world.writer.put(a_dataplane(port=1))).resource
    world.store._listener = Replica()  # the news of the other instance do not arrive
    other = replace(stored, spec=a_dataplane(port=2).spec)
    await world.store.commit([Update(other)])
    put = await world.writer.put(a_dataplane(port=1))
    assert put.resource.meta.version == 3


async def test_a_conflict_is_solved_by_trying_again() -> None:
    world = await a_world()
    stored = (await world.writer.put(a_dataplane(port=1))).resource
    world.store.rivals = [[Update(replace(stored, spec=a_dataplane(port=2).spec))]]
    put = await world.writer.put(a_dataplane(port=3))
    assert put.resource.meta.version == 3


async def test_creating_at_the_same_time_becomes_an_update() -> None:
    world = await a_world()
    world.store.rivals = [[Create(a_dataplane(port=2), owner=MESH_KEY)]]
    put = await world.writer.put(a_dataplane(port=3))
    assert (put.created, put.resource.meta.version) == (False, 2)


async def test_who_is_always_late_gets_the_conflict() -> None:
    world = await a_world()
    stored = (await world.writer.put(a_dataplane(port=1))).resource
    world.store.rivals = [
        [Update(replace(stored, meta=replace(stored.meta, version=version)))]
        for version in range(1, 10)
    ]
    with pytest.raises(Conflict):
        await world.writer.put(a_dataplane(port=3))


async def test_update_names_its_version() -> None:
    world = await a_world()
    first = (await world.writer.put(a_dataplane(port=1))).resource
    second = await world.writer.update(replace(first, spec=a_dataplane(port=2).spec))
    assert second.meta.version == 2
    with pytest.raises(Conflict):
        await world.writer.update(replace(first, spec=a_dataplane(port=3).spec))
    assert await world.writer.update(second) == second


async def test_a_large_update_is_checked_aside() -> None:
    world, threads = await a_world(), set[int]()

    def check(_resource: AnyResource, _view: object) -> list[Violation]:
        threads.add(threading.get_ident())
        return []

    for size, is_aside in ((100, False), (aside.LARGE + 1, True)):
        stored = (await world.writer.put(a_secret(data=bytes(size)))).resource
        world.writer._checks = {"Secret": check}
        await world.writer.update(replace(stored, spec=a_secret(data=b"1" * size).spec))
        assert (threads != {threading.get_ident()}) == is_aside
        threads.clear()


async def test_update_needs_something_to_update() -> None:
    world = await a_world()
    with pytest.raises(NotFound):
        await world.writer.update(a_dataplane())


async def test_the_mesh_must_exist() -> None:
    world = await a_world()
    with pytest.raises(MeshNotFound):
        await world.writer.put(a_dataplane(mesh="other"))


async def test_a_mesh_of_which_only_the_database_knows_exists() -> None:
    world = await a_world()
    listener, world.store._listener = world.store._listener, Replica()
    await world.writer.put(a_mesh("other"))
    world.store._listener = listener
    assert (await world.writer.put(a_secret(mesh="other"))).created


async def test_a_mesh_of_which_only_the_replica_knows_does_not() -> None:
    world = await a_world()
    world.store._listener = Replica()
    await world.writer.delete(MESH_KEY)
    with pytest.raises(MeshNotFound):
        await world.writer.put(a_secret())


async def test_what_is_invalid_is_not_written() -> None:
    world = await a_world()
    with pytest.raises(InvalidResource, match="address can't be empty"):
        await world.writer.put(a_dataplane(address=""))
    with pytest.raises(InvalidResource, match="data: empty"):
        await world.writer.put(a_secret(data=b""))
    assert world.told == []


async def test_an_unregistered_kind_is_not_written() -> None:
    world = World()
    await world.store.start(world.replica)
    writer = Writer(world.store, world.replica, Registry([]), world.clock, zone="east")
    with pytest.raises(UnknownKind):
        await writer.put(a_mesh())


async def test_warnings_come_with_every_put() -> None:
    world = await a_world()
    for _ in range(2):
        put = await world.writer.put(a_mesh("1st"))
        assert "does not conform to the DNS format" in put.warnings[0]
    assert (await world.writer.put(a_mesh("first"))).warnings == ()


async def test_delete_takes_what_is_owned_along() -> None:
    world = await a_world()
    await world.writer.put(a_dataplane("d"))
    await world.writer.put(a_dataplane_insight("d"))
    await world.writer.put(an_external_service())
    await world.writer.delete(ResourceKey("Dataplane", "default", "d"))
    assert world.names("DataplaneInsight") == []
    await world.writer.delete(MESH_KEY)
    assert world.names("ExternalService") == []


async def test_delete_of_nothing_is_said() -> None:
    world = await a_world()
    with pytest.raises(NotFound):
        await world.writer.delete(ResourceKey("Dataplane", "default", "d"))


async def test_delete_of_what_is_needed_is_refused_unless_unsafe() -> None:
    world = await a_world()
    await world.writer.put(a_dataplane())
    with pytest.raises(Refused):
        await world.writer.delete(MESH_KEY)
    unsafe = await a_world(unsafe_delete=True)
    await unsafe.writer.put(a_dataplane())
    await unsafe.writer.delete(MESH_KEY)
    assert unsafe.names("Dataplane") == []


async def test_companions_are_created_in_the_commit_of_their_mesh() -> None:
    world = await World(companions=authority_secrets).start()
    batches: list[Sequence[Change]] = []
    world.replica.subscribe(batches.append)
    await world.writer.put(a_mesh("m", mtls=True))
    [batch] = batches
    assert [change.key.name for change in batch] == [
        "m",
        "m.ca-builtin-cert-ca-1",
        "m.ca-builtin-key-ca-1",
        "signing-key",
    ]
    secret = world.replica.find(ResourceKey("Secret", "m", "signing-key"))
    assert secret is not None
    assert secret.labels["kuma.io/zone"] == "east"
    await world.writer.delete(ResourceKey("Mesh", "", "m"))
    assert "signing-key" not in [s.name for s in world.replica.list("Secret", "m")]


async def test_an_authority_added_later_gets_its_secrets_and_nothing_else_comes_back() -> None:
    world = await World(companions=authority_secrets).start()
    await world.writer.delete(ResourceKey("Secret", "default", "signing-key"))
    await world.writer.put(a_mesh(mtls=True))
    assert world.names("Secret") == [
        "default.ca-builtin-cert-ca-1",
        "default.ca-builtin-key-ca-1",
    ]


async def test_an_authority_that_has_its_secrets_keeps_them() -> None:
    world = await World(companions=authority_secrets).start()
    await world.writer.put(a_mesh(mtls=True))
    before = world.replica.list("Secret")
    await world.writer.put(a_mesh(permissive=True))
    assert world.replica.list("Secret") == before


async def test_a_certificate_is_never_left_with_the_key_of_another() -> None:
    """The authority was removed, one of its secrets deleted, and then it was added again."""
    world = await World(companions=authority_secrets).start()
    await world.writer.put(a_mesh(mtls=True))
    await world.writer.put(a_mesh())
    await world.writer.delete(ResourceKey("Secret", "default", "default.ca-builtin-key-ca-1"))
    await world.writer.put(a_mesh(mtls=True))
    secrets = [each for each in world.replica.list("Secret") if "ca-builtin" in each.name]
    assert len(secrets) == 2
    assert secrets[0].spec == secrets[1].spec, "of one generation"
