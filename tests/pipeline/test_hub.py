"""A proxy is authenticated, registered, configured, watched, and deregistered when it is gone."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from kuma.envoy.render import Renderer
from kuma.envoy.snapshot import Snapshot, TypeUrl
from kuma.identity.errors import TokenRefused
from kuma.kit import aside
from kuma.kit.incremental import Engine
from kuma.pipeline.certificates import Certificates
from kuma.pipeline.compile import Compiler, Outcome
from kuma.pipeline.delivery import ProxyNode, ProxyRefused
from kuma.pipeline.fanout import Fanout, ProxyKey
from kuma.pipeline.hub import Hub
from kuma.pipeline.index import Index
from kuma.pipeline.insights import Tracker
from kuma.pipeline.registration import Registrar
from kuma.pipeline.view import TrackedView
from kuma.policies.catalogue import POLICIES, REGISTRY
from kuma.policies.placements import PLACEMENTS
from kuma.policies.shapers import SHAPERS
from kuma.resources.codec import to_document
from kuma.resources.kinds.mesh_identity import MESH_IDENTITY
from kuma.resources.meta import ResourceKey
from kuma.resources.resource import AnyResource
from tests.support.builders import a_dataplane, a_mesh, a_resource
from tests.support.site import Site

DELAY = timedelta(milliseconds=50)


class Proxies:
    """A hub with everything behind it. `allowed` are the tokens that are good."""

    def __init__(self, site: Site, *, delay: timedelta = DELAY, instance: str = "cp-1") -> None:
        self.site = site
        self.allowed = {"good"}
        engine = Engine()
        self.index = index = Index(engine, (kind.name for kind in POLICIES))
        site.replica.subscribe(index.changed)
        view = TrackedView(engine, mesh="default", zone="default", placements=PLACEMENTS)
        compiler = Compiler(engine, Renderer(SHAPERS), lambda _: view, lambda _: ())
        self.fanout: Fanout[Outcome] = Fanout(engine, compiler.outcome, lambda *_: False)
        self.tracker = Tracker(
            site.store,
            site.replica,
            site.clock,
            instance=instance,
            flush_interval=timedelta(seconds=10),
            subscription_limit=2,
        )
        certificates = Certificates(
            engine,
            site.clock,
            refresh=self.fanout.refresh,
            tell=self.tracker.issued,
            base_backoff=DELAY,
            max_backoff=DELAY,
        )
        self.registrar = Registrar(
            site.writer,
            site.replica,
            instance=instance,
            delay=delay,
            is_connected=lambda key: self.hub.is_connected(key),  # noqa: PLW0108 made below
            is_alone=False,
        )
        self.hub = Hub(
            engine=engine,
            replica=site.replica,
            registry=REGISTRY,
            fanout=self.fanout,
            certificates=certificates,
            tracker=self.tracker,
            registrar=self.registrar,
            authenticate=self.authenticate,
            held=index.held,
        )

    def authenticate(self, credential: str, *, dataplane: Any, existing: Any) -> None:
        if credential not in self.allowed:
            raise TokenRefused("this token is not good")

    def exists(self, name: str) -> bool:
        return self.site.replica.find(ResourceKey("Dataplane", "default", name)) is not None


class Stream:
    """What a stream of a proxy gets."""

    def __init__(self, proxies: Proxies) -> None:
        self.proxies = proxies
        self.snapshots: list[Snapshot] = []
        self.refusals: list[ProxyRefused] = []
        self.news = asyncio.Event()

    async def connect(
        self, name: str, *, token: str = "good", brings: AnyResource | None = None
    ) -> Any:
        metadata = {"dataplane.resource": json.dumps(to_document(brings))} if brings else {}
        node = ProxyNode(f"default.{name}", "default", name, metadata)
        return await self.proxies.hub.connect(
            node, credential=token, sink=self.sink, refuse=self.refusals.append
        )

    def sink(self, snapshot: Snapshot) -> None:
        self.snapshots.append(snapshot)
        self.news.set()

    async def next(self) -> Snapshot:
        async with asyncio.timeout(30):
            await self.news.wait()
        self.news.clear()
        return self.snapshots[-1]


@pytest_asyncio.fixture
async def proxies(site: Site) -> AsyncIterator[Proxies]:
    made = Proxies(site)
    await site.create(a_mesh())
    running = asyncio.create_task(made.fanout.run())
    yield made
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_a_proxy_that_brings_its_dataplane_is_registered_and_configured(
    proxies: Proxies,
) -> None:
    stream = Stream(proxies)

    await stream.connect("api-1", brings=a_dataplane("api-1", port=8080))

    assert proxies.exists("api-1")
    assert "inbound:127.0.0.1:8080" in (await stream.next()).of(TypeUrl.LISTENER)


async def test_a_change_reaches_the_stream_and_an_equal_write_does_not(proxies: Proxies) -> None:
    stream = Stream(proxies)
    await stream.connect("api-1", brings=a_dataplane("api-1", port=8080))
    await stream.next()

    await proxies.site.writer.put(a_dataplane("api-1", port=8080))
    await proxies.site.writer.put(a_dataplane("api-1", port=8090))

    assert list((await stream.next()).of(TypeUrl.LISTENER)) == ["inbound:127.0.0.1:8090"]
    assert len(stream.snapshots) == 2


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ({"kumaDp": {"version": 2.14, "gitTag": "v2"}, "envoy": "1.40"}, {"gitTag": "v2"}),
        (
            {"kumaDp": {"gitTag": "v2", "flavour": "own"}, "dependencies": {"x": 1}},
            {"gitTag": "v2"},
        ),
        ("2.14", None),
        ([], None),
    ],
)
async def test_nonsense_about_versions_is_left_out(
    proxies: Proxies, said: object, shown: dict[str, str] | None
) -> None:
    """It must neither refuse the proxy nor stop the writing of insights."""
    await proxies.site.create(a_dataplane("api-1"))
    node = ProxyNode("default.api-1", "default", "api-1", {"version": said})
    stream = Stream(proxies)

    await proxies.hub.connect(
        node, credential="good", sink=stream.sink, refuse=stream.refusals.append
    )
    await proxies.tracker.flush()

    found = proxies.site.replica.find(ResourceKey("DataplaneInsight", "default", "api-1"))
    assert found is not None
    [subscription] = found.spec.to_json()["subscriptions"]
    kuma_dp = shown and {**shown, "kumaCpCompatible": True}
    assert subscription.get("version", {}) == ({"kumaDp": kuma_dp} if kuma_dp else {})


async def test_a_proxy_without_a_dataplane_is_refused(proxies: Proxies) -> None:
    with pytest.raises(ProxyRefused, match='there is no Dataplane "api-1"') as refusal:
        await Stream(proxies).connect("api-1")
    assert refusal.value.status == "not_found"


async def test_a_bad_token_is_refused_and_registers_nothing(proxies: Proxies) -> None:
    with pytest.raises(ProxyRefused, match="not good") as refusal:
        await Stream(proxies).connect("api-1", token="bad", brings=a_dataplane("api-1"))
    assert refusal.value.status == "unauthenticated"
    assert not proxies.exists("api-1")


async def test_a_dataplane_under_another_name_is_refused(proxies: Proxies) -> None:
    with pytest.raises(ProxyRefused, match="node id") as refusal:
        await Stream(proxies).connect("api-1", brings=a_dataplane("api-2"))
    assert refusal.value.status == "invalid_argument"


@pytest.mark.parametrize("document", ["{", "[" * 10_000, '{"name": "\\ud800"}', 5.0, ["x"]])
async def test_a_dataplane_that_cannot_be_read_is_refused(
    proxies: Proxies, document: object
) -> None:
    node = ProxyNode("default.api-1", "default", "api-1", {"dataplane.resource": document})
    stream = Stream(proxies)
    with pytest.raises(ProxyRefused, match="the Dataplane is not valid") as refusal:
        await proxies.hub.connect(
            node, credential="good", sink=stream.sink, refuse=stream.refusals.append
        )
    assert refusal.value.status == "invalid_argument"


async def test_a_dataplane_that_breaks_the_rules_is_refused(proxies: Proxies) -> None:
    with pytest.raises(ProxyRefused, match=r"the Dataplane was refused: .*port") as refusal:
        await Stream(proxies).connect("api-1", brings=a_dataplane("api-1", port=70_000))
    assert refusal.value.status == "invalid_argument"
    assert not proxies.exists("api-1")


async def test_a_dataplane_that_is_too_long_is_refused(proxies: Proxies) -> None:
    long = {"dataplane.resource": " " * (aside.LARGEST + 1)}
    stream = Stream(proxies)
    with pytest.raises(ProxyRefused, match="must not be longer than 1 MiB"):
        await proxies.hub.connect(
            ProxyNode("default.api-1", "default", "api-1", long),
            credential="good",
            sink=stream.sink,
            refuse=stream.refusals.append,
        )


async def test_a_token_that_is_no_longer_good_ends_the_stream(proxies: Proxies) -> None:
    stream = Stream(proxies)
    await stream.connect("api-1", brings=a_dataplane("api-1"))
    proxies.allowed.clear()

    await proxies.site.writer.put(a_dataplane("api-1", port=9999))

    assert [refusal.status for refusal in stream.refusals] == ["unauthenticated"]


async def test_a_dataplane_goes_with_its_proxy_after_a_while(proxies: Proxies) -> None:
    connection = await Stream(proxies).connect("api-1", brings=a_dataplane("api-1"))

    connection.closed()

    assert proxies.exists("api-1")
    async with asyncio.timeout(30):
        while proxies.exists("api-1"):
            await asyncio.sleep(0.01)


async def test_it_stays_if_the_proxy_comes_back(proxies: Proxies) -> None:
    connection = await Stream(proxies).connect("api-1", brings=a_dataplane("api-1"))
    connection.closed()
    again = Stream(proxies)

    await again.connect("api-1", brings=a_dataplane("api-1"))
    await asyncio.sleep(3 * DELAY.total_seconds())

    assert proxies.exists("api-1")


async def test_it_stays_if_the_control_plane_goes_away(proxies: Proxies) -> None:
    connection = await Stream(proxies).connect("api-1", brings=a_dataplane("api-1"))

    proxies.registrar.close()
    connection.closed()
    await asyncio.sleep(3 * DELAY.total_seconds())

    assert proxies.exists("api-1")


async def test_it_stays_if_the_proxy_is_connected_to_another_instance(proxies: Proxies) -> None:
    site = proxies.site
    connection = await Stream(proxies).connect("api-1", brings=a_dataplane("api-1"))
    await proxies.tracker.flush()
    other = Tracker(
        site.store,
        site.replica,
        site.clock,
        instance="cp-2",
        flush_interval=timedelta(seconds=10),
        subscription_limit=2,
    )
    site.clock.advance(timedelta(seconds=1))
    other.connected(ProxyKey("default", "api-1"), {}, {})
    await other.flush()

    connection.closed()
    await asyncio.sleep(3 * DELAY.total_seconds())

    assert proxies.exists("api-1")


async def test_it_stays_if_another_instance_took_the_proxy_over_a_moment_ago(site: Site) -> None:
    """Before it could write so: in a storm that takes seconds."""
    one, other = (Proxies(site, delay=timedelta(hours=1), instance=each) for each in ("1", "2"))
    await site.create(a_mesh())
    brought = a_dataplane("api-1", port=8080)
    connection = await Stream(one).connect("api-1", brings=brought)
    await one.tracker.flush()
    connection.closed()
    left = site.replica.find(brought.key)

    await Stream(other).connect("api-1", brings=brought)
    one.registrar._expire(ProxyKey("default", "api-1"), left)
    await asyncio.wait(one.registrar._writes)

    assert one.exists("api-1")


async def test_it_stays_if_the_proxy_comes_back_while_it_is_being_deleted(
    proxies: Proxies,
) -> None:
    brought = a_dataplane("api-1", port=8080)
    connection = await Stream(proxies).connect("api-1", brings=brought)
    await proxies.tracker.flush()
    connection.closed()
    proxies.registrar._expire(ProxyKey("default", "api-1"), proxies.site.replica.find(brought.key))
    deletions = asyncio.gather(*proxies.registrar._writes)

    await Stream(proxies).connect("api-1", brings=brought)
    await deletions

    assert proxies.exists("api-1")


async def test_a_change_of_an_orphan_keeps_it_no_longer_than_another_delay(
    proxies: Proxies,
) -> None:
    connection = await Stream(proxies).connect("api-1", brings=a_dataplane("api-1", port=8080))
    connection.closed()

    await proxies.site.writer.put(a_dataplane("api-1", port=8090))

    async with asyncio.timeout(30):
        while proxies.exists("api-1"):
            await asyncio.sleep(0.01)


async def test_a_dataplane_that_was_there_before_stays(proxies: Proxies) -> None:
    await proxies.site.create(a_dataplane("api-1"))
    connection = await Stream(proxies).connect("api-1")

    connection.closed()
    await asyncio.sleep(3 * DELAY.total_seconds())

    assert proxies.exists("api-1")


async def test_a_proxy_that_says_it_ends_gets_no_requests_and_leaves_at_once(site: Site) -> None:
    proxies = Proxies(site, delay=timedelta(hours=1))
    await site.create(a_mesh())
    brought = a_dataplane("api-1", port=8080)
    connection = await Stream(proxies).connect("api-1", brings=brought)

    await proxies.hub.leave("default", "api-1", credential="good")

    stored = site.replica.find(brought.key)
    assert stored is not None
    assert [each.is_ready for each in stored.spec.networking.inbound] == [False]
    gone = asyncio.Event()
    site.replica.subscribe(lambda _: proxies.exists("api-1") or gone.set())
    connection.closed()
    async with asyncio.timeout(30):
        await gone.wait()


async def test_nobody_else_may_say_that_a_proxy_ends(proxies: Proxies) -> None:
    await Stream(proxies).connect("api-1", brings=a_dataplane("api-1"))

    with pytest.raises(ProxyRefused, match="not good"):
        await proxies.hub.leave("default", "api-1", credential="bad")


async def test_a_dataplane_that_was_there_before_its_proxy_stays_ready(proxies: Proxies) -> None:
    await proxies.site.create(a_dataplane("api-1"))
    await Stream(proxies).connect("api-1")

    await proxies.hub.leave("default", "api-1", credential="good")

    stored = proxies.site.replica.find(ResourceKey("Dataplane", "default", "api-1"))
    assert stored is not None
    assert [each.is_ready for each in stored.spec.networking.inbound] == [True]


def readiness(proxies: Proxies) -> list[bool]:
    stored = proxies.site.replica.find(ResourceKey("Dataplane", "default", "api-1"))
    assert stored is not None
    return [each.is_ready for each in stored.spec.networking.inbound]


async def test_a_new_proxy_gets_requests_once_its_envoy_has_taken_all_it_got(
    proxies: Proxies,
) -> None:
    stream = Stream(proxies)
    connection = await stream.connect("api-1", brings=a_dataplane("api-1", port=8080))
    got = [kind for kind in TypeUrl if (await first(stream)).of(kind)]
    assert TypeUrl.LISTENER in got

    ready = asyncio.Event()
    proxies.site.replica.subscribe(lambda _: readiness(proxies) == [True] and ready.set())
    for kind in got:
        assert readiness(proxies) == [False]
        connection.acknowledged(kind)

    async with asyncio.timeout(30):
        await ready.wait()


async def first(stream: Stream) -> Snapshot:
    return stream.snapshots[0] if stream.snapshots else await stream.next()


async def test_a_proxy_that_comes_back_gets_requests_all_the_time(proxies: Proxies) -> None:
    brought = a_dataplane("api-1", port=8080)
    await proxies.site.create(brought)

    await Stream(proxies).connect("api-1", brings=brought)

    assert readiness(proxies) == [True]


async def test_a_proxy_that_would_have_no_spiffe_id_is_told_which_label_it_needs(
    proxies: Proxies,
) -> None:
    spec = {"selector": {"dataplane": {}}}
    await proxies.site.create(a_resource(MESH_IDENTITY, "identity", spec))

    with pytest.raises(ProxyRefused, match="needs a label kuma"):
        await Stream(proxies).connect("backend-1", brings=a_dataplane())

    labelled = a_dataplane(labels={"kuma.io/workload": "backend"})
    await Stream(proxies).connect("backend-1", brings=labelled)


async def test_an_identity_by_label_ends_streams_whose_token_does_not_prove_it(
    proxies: Proxies,
) -> None:
    stream = Stream(proxies)
    labelled = a_dataplane(labels={"kuma.io/workload": "backend"})
    await stream.connect("backend-1", brings=labelled)
    proxies.allowed.clear()  # as the rule on tokens finds then

    spec = {"selector": {"dataplane": {}}}
    await proxies.site.create(a_resource(MESH_IDENTITY, "identity", spec))

    assert [each.status for each in stream.refusals] == ["unauthenticated"]
