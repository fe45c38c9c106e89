"""Tiny kinds for tests of what works for every kind: stores, the replica."""

from datetime import UTC, datetime
from typing import Any

from kuma.resources.kind import Kind, Scope
from kuma.resources.meta import ResourceKey, ResourceMeta
from kuma.resources.registry import Registry
from kuma.resources.resource import AnyResource, Resource
from kuma.resources.spec import Duration, SpecModel


class GardenSpec(SpecModel):
    """Global, the owner of everything in it, as Mesh is."""

    soil: str | None = None


class PlantSpec(SpecModel):
    height: int = 0
    leaf_colours: tuple[str, ...] = ()
    watered_every: Duration | None = None


class PlantStatus(SpecModel):
    is_thirsty: bool


class LeafSpec(SpecModel):
    area: int = 0


GARDEN = Kind("Garden", "Gardens", Scope.GLOBAL, GardenSpec, path="gardens")
PLANT = Kind("Plant", "Plants", Scope.MESH, PlantSpec, path="plants", status=PlantStatus)
LEAF = Kind("Leaf", "Leaves", Scope.MESH, LeafSpec, path="leaves")
KINDS = Registry((GARDEN, PLANT, LEAF))

_UNSET = datetime(1970, 1, 1, tzinfo=UTC)


def a_resource(
    kind: Kind[Any],
    name: str,
    *,
    mesh: str = "",
    labels: dict[str, str] | None = None,
    status: SpecModel | None = None,
    **spec: Any,
) -> AnyResource:
    """A resource that was not stored yet."""
    meta = ResourceMeta(mesh, name, 0, _UNSET, _UNSET, labels or {})
    return Resource(kind, meta, kind.spec(**spec), status)


def a_garden(name: str = "eden", **more: Any) -> AnyResource:
    return a_resource(GARDEN, name, **more)


def a_plant(name: str = "rose", *, mesh: str = "eden", **more: Any) -> AnyResource:
    return a_resource(PLANT, name, mesh=mesh, **more)


def a_leaf(name: str = "leaf", *, mesh: str = "eden", **more: Any) -> AnyResource:
    return a_resource(LEAF, name, mesh=mesh, **more)


def garden_key(name: str = "eden") -> ResourceKey:
    return ResourceKey("Garden", "", name)


def plant_key(name: str = "rose", mesh: str = "eden") -> ResourceKey:
    return ResourceKey("Plant", mesh, name)


def leaf_key(name: str = "leaf", mesh: str = "eden") -> ResourceKey:
    return ResourceKey("Leaf", mesh, name)
