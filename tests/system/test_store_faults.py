"""Databases and control planes that die: nothing acknowledged is lost, requests go on, changes arrive.

Two control planes on one PostgreSQL, behind a load balancer for Envoys, which can be pointed at either:
streams stay where they are, new ones go where it points. The tests are in order: the last ends the leader.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.support.load import constant_load
from tests.support.mesh import HOST, ControlPlane, Sidecar, a_backend, a_control_plane, until
from tests.support.postgres import PostgresServer
from tests.support.processes import run
from tests.system.conftest import ALLOW_ALL, MTLS
from tests.system.test_restart import DENY, dataplane, is_online, overview

pytestmark = pytest.mark.asyncio(loop_scope="module")


def a_limit(number: int) -> dict[str, Any]:
    limits = {"connectionLimits": {"maxConnections": number + 1}}
    return {
        "type": "MeshCircuitBreaker",
        "mesh": "default",
        "name": f"limit-{number:05}",
        "spec": {
            "targetRef": {"kind": "Mesh"},
            "to": [{"targetRef": {"kind": "Mesh"}, "default": limits}],
        },
    }


async def limits(cp: ControlPlane) -> dict[str, Any]:
    """The specs by name."""
    found: dict[str, Any] = {}
    url = "/meshes/default/meshcircuitbreakers?size=1000"
    while url:
        page = (await cp.rest.get(url)).raise_for_status().json()
        found |= {each["name"]: each["spec"] for each in page["items"]}
        url = page["next"]
    return found


class Writers:
    """Clients that put one policy after the other until one is refused, and what was acknowledged."""

    def __init__(self) -> None:
        self.acknowledged: list[int] = []
        self._news = asyncio.Event()
        self._next = 0
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self, *control_planes: ControlPlane) -> None:
        self._tasks = [asyncio.create_task(self._put(cp)) for cp in control_planes]

    async def more(self, count: int) -> None:
        """Until so many more were acknowledged."""
        wanted = len(self.acknowledged) + count
        async with asyncio.timeout(30):
            while len(self.acknowledged) < wanted:
                self._news.clear()
                await self._news.wait()

    async def refused(self) -> None:
        async with asyncio.timeout(30):
            await asyncio.gather(*self._tasks)

    async def assert_nothing_is_lost(self, cp: ControlPlane) -> None:
        found = await limits(cp)
        wanted = {each["name"]: each["spec"] for each in map(a_limit, self.acknowledged)}
        assert {name: found.get(name) for name in wanted} == wanted

    async def _put(self, cp: ControlPlane) -> None:
        with suppress(httpx.TransportError):
            while True:
                number, self._next = self._next, self._next + 1
                document = a_limit(number)
                answer = await cp.rest.put(cp.path(document), json=document)
                if not answer.is_success:
                    return
                self.acknowledged.append(number)
                self._news.set()


async def test_no_acknowledged_write_is_lost_when_the_control_plane_is_killed(
    tmp_path: Path,
) -> None:
    writers = Writers()
    async with a_control_plane(tmp_path, env={"KUMA_STORE_TYPE": "sqlite"}) as cp:
        for _ in range(2):
            writers.begin(cp, cp, cp)
            await writers.more(40)
            await cp.end(signal.SIGKILL)
            await writers.refused()
            await cp.start()
            await writers.assert_nothing_is_lost(cp)


class LoadBalancer:
    """Forwards connections to the data plane server of the control plane that it points at."""

    def __init__(self) -> None:
        self.target = 0
        self._forwards: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            back, forth = await asyncio.open_connection(HOST, self.target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pipe(reader, forth), _pipe(back, writer))


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def a_load_balancer() -> AsyncIterator[tuple[LoadBalancer, int]]:
    balancer = LoadBalancer()
    server = await asyncio.start_server(balancer.serve, HOST, 0)
    yield balancer, server.sockets[0].getsockname()[1]
    server.close()  # connections end with their sidecars


@dataclass
class Site:
    """`api` gets its configuration through the balancer, from `leader` until that is killed;
    `client` from `other`."""

    leader: ControlPlane
    other: ControlPlane
    api: Sidecar
    client: Sidecar
    balancer: LoadBalancer
    http: httpx.AsyncClient

    async def status(self) -> int:
        return (await self.http.get(self.client.url("api"))).status_code


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(
    postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Site]:
    database = await postgres.new_database(migrated=False)
    env = {
        "KUMA_STORE_TYPE": "postgres",
        "KUMA_STORE_POSTGRES_HOST": HOST,
        "KUMA_STORE_POSTGRES_PORT": str(postgres.port),
        "KUMA_STORE_POSTGRES_USER": database.user,
        "KUMA_STORE_POSTGRES_PASSWORD": "any",
        "KUMA_STORE_POSTGRES_DB_NAME": database.db_name,
        "KUMA_XDS_DATAPLANE_DEREGISTRATION_DELAY": "2s",
    }
    await run("kuma-cp", "migrate", "up", env=env)
    directories = [tmp_path_factory.mktemp(name) for name in ("leader", "other")]
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        balancer, port = await enter(a_load_balancer())
        env["KUMA_BOOTSTRAP_SERVER_PARAMS_XDS_PORT"] = str(port)  # Envoys come through it too
        leader = await enter(a_control_plane(directories[0], env=env))
        await leader.process.line("this instance leads")
        for name in ("kuma-cp.crt", "kuma-cp.key"):  # sidecars trust both alike
            (directories[1] / name).write_bytes((directories[0] / name).read_bytes())
        other = await enter(a_control_plane(directories[1], env=env))
        await leader.put(MTLS)
        await leader.put(ALLOW_ALL)
        backend = await enter(a_backend("v1"))
        balancer.target = leader.dp_port
        api = await enter(leader.sidecar("api", app_port=backend.port))
        balancer.target = other.dp_port
        client = await enter(other.sidecar("client", outbounds={"api": "api"}))
        http = await enter(httpx.AsyncClient(timeout=60))
        made = Site(leader, other, api, client, balancer, http)
        await until(made.status, lambda status: status == 200)
        yield made


async def test_a_change_at_one_instance_reaches_the_proxies_of_the_other(site: Site) -> None:
    await site.other.put(DENY)  # it concerns the sidecar of the api, which the leader serves
    await until(site.status, lambda status: status == 403)
    await site.leader.delete(DENY)
    await until(site.status, lambda status: status == 200)


async def test_an_outage_of_the_database_costs_no_request_and_no_write(
    site: Site, postgres: PostgresServer
) -> None:
    writers, path = Writers(), site.leader.path(a_limit(0))
    async with constant_load(site.client.ports["api"]) as load:
        writers.begin(site.leader, site.other)
        await writers.more(20)
        await asyncio.to_thread(postgres.stop, "immediate")
        await writers.refused()
        for cp in (site.leader, site.other):
            for answer in (await cp.rest.get(path), await cp.rest.put(path, json=a_limit(0))):
                assert answer.status_code == 503
                assert answer.json()["title"] == "Service unavailable"
                assert "PostgreSQL" in answer.json()["detail"]
            ready = await cp.rest.get(f"http://{HOST}:{cp.diagnostics_port}/ready")
            assert ready.status_code == 503
        await load.more(100)
        await asyncio.to_thread(postgres.start)
        for cp in (site.leader, site.other):
            await cp.ready()
            await writers.assert_nothing_is_lost(cp)
        await load.more(50)
    assert load.failures == []
    await site.other.put(DENY)
    await until(site.status, lambda status: status == 403)
    await site.leader.delete(DENY)
    await until(site.status, lambda status: status == 200)
    assert site.leader.process.child.returncode is None
    assert site.other.process.child.returncode is None


async def test_another_instance_takes_over_a_proxy(site: Site) -> None:
    """It left one instance and came back to the other, so the one must not remove its Dataplane."""
    site.balancer.target = site.leader.dp_port
    name, document = "moving", dataplane("moving")
    async with (
        site.leader.kuma_dp(document) as first,
        site.leader.kuma_dp(dataplane("leaving")) as leaving,
    ):
        for each in (name, "leaving"):
            await until(lambda each=each: overview(site.leader, each), is_online)
        for process in (first, leaving):
            process.signal(signal.SIGKILL)
            await process.ended()
    site.balancer.target = site.other.dp_port
    async with site.other.kuma_dp(document):
        await until(lambda: overview(site.leader, "leaving"), lambda found: found is None)
        for cp in (site.leader, site.other):
            await until(lambda cp=cp: overview(cp, name), is_online)


async def test_another_instance_leads_when_the_leader_is_killed(site: Site) -> None:
    async with constant_load(site.client.ports["api"]) as load:
        await site.leader.end(signal.SIGKILL)
        await site.other.process.line("this instance leads")
        await until(lambda: overview(site.other, "api"), is_online)
        await load.more(50)
        assert load.failures == []
    await site.other.put(DENY)
    await until(site.status, lambda status: status == 403)
    await site.other.delete(DENY)
    await until(site.status, lambda status: status == 200)
