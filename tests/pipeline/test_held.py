"""A Dataplane that is deleted while its proxy is connected: gone for others, kept for the proxy."""

import pytest

from kuma.envoy.snapshot import Snapshot, TypeUrl
from kuma.resources.errors import NotFound
from kuma.resources.kinds.dataplane import DATAPLANE
from kuma.resources.kinds.mesh import MESH
from kuma.resources.meta import ResourceKey
from kuma.resources.store import Delete
from tests.pipeline.test_hub import Proxies, Stream, proxies
from tests.support.builders import a_dataplane, a_mesh, a_secret

__all__ = ["proxies"]

API = ResourceKey(DATAPLANE.name, "default", "api-1")
BROUGHT = a_dataplane("api-1", service="api", port=8080, outbounds={10001: "db"})


async def a_proxy_without_its_dataplane(proxies: Proxies) -> Stream:
    stream = Stream(proxies)
    await stream.connect("api-1", brings=BROUGHT)
    await stream.next()
    await proxies.site.writer.delete(API)
    return stream


def listeners(snapshot: Snapshot) -> set[str]:
    return set(snapshot.of(TypeUrl.LISTENER))


async def test_its_configuration_stays_and_changes_still_reach_it(proxies: Proxies) -> None:
    stream = await a_proxy_without_its_dataplane(proxies)
    before = stream.snapshots[-1]

    await proxies.site.writer.put(a_dataplane("db-1", service="db", address="192.168.7.7"))

    after = await stream.next()
    assert (
        listeners(after)
        == listeners(before)
        == {
            "inbound:127.0.0.1:8080",
            "outbound:127.0.0.1:10001",
        }
    )
    assert b"192.168.7.7" in after.of(TypeUrl.ENDPOINT)["db"].body
    assert len(stream.snapshots) == 2
    assert not proxies.exists("api-1")


async def test_nobody_calls_it_any_more(proxies: Proxies) -> None:
    client = Stream(proxies)
    await client.connect("web-1", brings=a_dataplane("web-1", service="web", outbounds={1: "api"}))
    await client.next()
    api = Stream(proxies)
    await api.connect("api-1", brings=BROUGHT)
    await proxies.site.writer.put(BROUGHT)
    there = await client.next()

    await proxies.site.writer.delete(API)

    gone = await client.next()
    assert b"127.0.0.1" in there.of(TypeUrl.ENDPOINT)["api"].body
    assert b"127.0.0.1" not in gone.of(TypeUrl.ENDPOINT)["api"].body


async def test_it_is_registered_again_when_it_comes_back(proxies: Proxies) -> None:
    stream = Stream(proxies)
    connection = await stream.connect("api-1", brings=BROUGHT)
    await stream.next()
    await proxies.site.writer.delete(API)
    connection.closed()

    again = Stream(proxies)
    await again.connect("api-1", brings=BROUGHT)

    assert proxies.exists("api-1")
    assert "inbound:127.0.0.1:8080" in listeners(await again.next())


async def test_a_proxy_that_is_gone_leaves_nothing(proxies: Proxies) -> None:
    stream = Stream(proxies)
    connection = await stream.connect("api-1", brings=BROUGHT)
    await stream.next()
    await proxies.site.writer.delete(API)
    connection.closed()

    assert proxies.index.held.find(API) is None
    with pytest.raises(NotFound):
        await proxies.site.writer.delete(API)


async def test_a_right_that_it_loses_still_ends_its_stream(proxies: Proxies) -> None:
    stream = await a_proxy_without_its_dataplane(proxies)
    proxies.allowed.clear()

    await proxies.site.create(a_secret("dataplane-token-revocations-default"))

    assert [each.status for each in stream.refusals] == ["unauthenticated"]


async def test_it_does_not_outlive_its_mesh(proxies: Proxies) -> None:
    stream = await a_proxy_without_its_dataplane(proxies)

    await proxies.site.store.commit([Delete(ResourceKey(MESH.name, "", "default"))])

    assert listeners(await stream.next()) == set()


async def test_nor_does_it_begin_to_after_its_mesh_is_gone(proxies: Proxies) -> None:
    stream = Stream(proxies)
    await stream.connect("api-1", brings=BROUGHT)
    await stream.next()

    mesh = ResourceKey(MESH.name, "", "default")
    await proxies.site.store.commit([Delete(mesh)])
    if proxies.exists("api-1"):
        await proxies.site.store.commit([Delete(API)])

    assert listeners(await stream.next()) == set()
    await proxies.site.create(a_mesh())
