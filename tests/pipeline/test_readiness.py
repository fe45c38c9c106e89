"""When callers may speak mutual TLS to a service, in a mesh that takes both."""

import pytest

from kuma.resources.resource import AnyResource
from tests.pipeline.test_incremental_configuration import World
from tests.support.builders import a_dataplane, a_dataplane_insight, a_mesh

IDENTITY = "kri_mid_default_default__identity_"


def with_certificate(name: str, backend: str = "ca-1") -> AnyResource:
    return a_dataplane_insight(name, spec={"mTLS": {"issuedBackend": backend}})


@pytest.fixture
def world() -> World:
    made = World()
    made.put(
        a_mesh(permissive=True),
        a_dataplane("api-1", service="api"),
        a_dataplane("api-2", service="api"),
    )
    return made


def is_ready(world: World) -> bool:
    return world.view("default").is_tls_ready("api")


def test_all_proxies_that_were_connected_must_have_a_certificate(world: World) -> None:
    assert not is_ready(world)
    world.put(a_dataplane_insight("api-1"), with_certificate("api-2"))
    assert not is_ready(world)
    world.put(with_certificate("api-1"))
    assert is_ready(world)


def test_one_that_joins_changes_nothing(world: World) -> None:
    world.put(with_certificate("api-1"))
    world.put(a_dataplane("api-3", service="api"), a_dataplane_insight("api-3"))
    assert is_ready(world)


def test_another_authority_begins_anew(world: World) -> None:
    world.put(with_certificate("api-1"), with_certificate("api-2"))
    world.put(a_mesh(permissive=True, backend="ca-2"))
    assert not is_ready(world)
    world.put(with_certificate("api-1", "ca-2"), with_certificate("api-2", "ca-2"))
    assert is_ready(world)


def test_a_certificate_of_a_mesh_identity_counts_under_any_authority(world: World) -> None:
    world.put(with_certificate("api-1", IDENTITY), with_certificate("api-2"))
    assert is_ready(world)
    world.put(a_mesh(), with_certificate("api-2", IDENTITY))
    assert is_ready(world)


def test_without_any_authority_nobody_is_ready(world: World) -> None:
    world.put(with_certificate("api-1"), with_certificate("api-2"))
    world.put(a_mesh())
    assert not is_ready(world)
    world.put(a_dataplane_insight("api-1"), a_dataplane_insight("api-2"))
    assert not is_ready(world)


def test_a_service_that_was_gone_begins_anew(world: World) -> None:
    world.put(with_certificate("api-1"))
    gone = [a_dataplane("api-1", service="api"), a_dataplane("api-2", service="api")]
    world.delete(*gone, with_certificate("api-1"))
    assert not is_ready(world)
    world.put(*gone)
    assert not is_ready(world)
