"""A real Envoy as the client, with a bootstrap written by hand: both variants of the protocol.

Requests go through it, so what is proved is not that an answer was sent but that it took effect.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
import uvloop
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration

# Registered for json_format to find it within Any.
from envoy.extensions.filters.http.router.v3 import router_pb2  # noqa: F401
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2,  # noqa: F401
)
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message

from kuma.envoy.snapshot import EnvoyResource, Snapshot, TypeUrl
from kuma.identity.server_tls import ServerCertificate
from kuma.pipeline.delivery import ProxyRefused
from tests.support.envoy_binary import find_envoy
from tests.support.hub import FakeConnection
from tests.support.processes import Process, running
from tests.xds.conftest import CREDENTIAL, Site, running_site
from tests.xds.world import CLUSTER, ENDPOINT, LISTENER, ROUTE

HCM = (
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3"
    ".HttpConnectionManager"
)
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
ADS = {"ads": {}, "resource_api_version": "V3"}


def a_message(type_url: TypeUrl, name: str, message: Message) -> EnvoyResource:
    body = message.SerializeToString(deterministic=True)
    return EnvoyResource(type_url, name, sha256(body).hexdigest()[:16], body)


def a_cluster(name: str, *, timeout: str = "1s") -> EnvoyResource:
    content = {
        "name": name,
        "type": "EDS",
        "connect_timeout": timeout,
        "eds_cluster_config": {"eds_config": ADS},
    }
    return a_message(CLUSTER, name, ParseDict(content, Cluster()))


def assignment(name: str, port: int) -> dict[str, Any]:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    return {
        "cluster_name": name,
        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
    }


def endpoints(name: str, port: int) -> EnvoyResource:
    content = ParseDict(assignment(name, port), ClusterLoadAssignment())
    return a_message(ENDPOINT, name, content)


def a_listener(*, prefix: str = "http", bad: bool = False) -> EnvoyResource:
    """On a free port. A bad one has two routers, of which only the last may end a chain."""
    router = {"name": "router", "typed_config": {"@type": ROUTER}}
    manager = {
        "@type": HCM,
        "stat_prefix": prefix,
        "rds": {"config_source": ADS, "route_config_name": "routes"},
        "http_filters": [router, router] if bad else [router],
    }
    content = {
        "name": "entry",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    return a_message(LISTENER, "entry", ParseDict(content, Listener()))


def routes(cluster: str) -> EnvoyResource:
    host = {
        "name": "all",
        "domains": ["*"],
        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": cluster}}],
    }
    content = {"name": "routes", "virtual_hosts": [host]}
    return a_message(ROUTE, "routes", ParseDict(content, RouteConfiguration()))


def a_snapshot(*resources: EnvoyResource) -> Snapshot:
    return Snapshot(
        {
            type_url: {each.name: each for each in resources if each.type_url is type_url}
            for type_url in TypeUrl
        }
    )


def a_bootstrap(site: Site, api_type: str, admin_socket: Path) -> str:
    cluster = {
        "name": "ads_cluster",
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": (
                    "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
                ),
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
        "load_assignment": assignment("ads_cluster", site.server.port),
        "transport_socket": {
            "name": "tls",
            "typed_config": {
                "@type": (
                    "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3"
                    ".UpstreamTlsContext"
                ),
                "sni": "localhost",
                "common_tls_context": {
                    "validation_context": {
                        "trusted_ca": {"filename": str(site.certificate.cert_file)}
                    }
                },
            },
        },
    }
    service = {
        "envoy_grpc": {"cluster_name": "ads_cluster"},
        "initial_metadata": [{"key": "authorization", "value": CREDENTIAL}],
    }
    return json.dumps(
        {
            "node": {"id": "default.web-1", "cluster": "web"},
            "admin": {"address": {"pipe": {"path": str(admin_socket)}}},
            "static_resources": {"clusters": [cluster]},
            "dynamic_resources": {
                "lds_config": ADS,
                "cds_config": ADS,
                "ads_config": {
                    "api_type": api_type,
                    "transport_api_version": "V3",
                    "set_node_on_first_message_only": True,
                    "grpc_services": [service],
                },
            },
        }
    )


class Backend:
    """Answers every request with its name."""

    def __init__(self, name: str) -> None:
        self._name = name.encode()
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            head = f"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {len(self._name)}"
            writer.write(head.encode() + b"\r\n\r\n" + self._name)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@dataclass
class Running:
    """An Envoy that is connected to the site's server."""

    site: Site
    process: Process
    admin: httpx.AsyncClient
    delta: bool

    @property
    def connection(self) -> FakeConnection:
        return self.site.hub.connections[-1]

    async def acknowledged(self, *types: TypeUrl, after: int = 0) -> None:
        """Wait for an acknowledgement of each type among those after the first `after`."""
        wanted = set(types)
        await self.site.hub.until(lambda: wanted <= set(self.connection.acknowledged_types[after:]))

    async def ask(self) -> str:
        """The body of a response to a request through the listener."""
        listeners = (await self.admin.get("/listeners?format=json")).json()["listener_statuses"]
        port = listeners[0]["local_address"]["socket_address"]["port_value"]
        transport = httpx.AsyncHTTPTransport(retries=5)
        async with httpx.AsyncClient(transport=transport) as client:
            return (await client.get(f"http://127.0.0.1:{port}/")).text

    async def stat(self, name: str) -> str:
        text = (await self.admin.get(f"/stats?filter=^{name}$")).text
        return text.strip().partition(": ")[2]


@asynccontextmanager
async def envoy(site: Site, tmp_path: Path, *, delta: bool) -> AsyncIterator[Running]:
    admin_socket = tmp_path / "admin.sock"
    bootstrap = tmp_path / "bootstrap.json"
    bootstrap.write_text(a_bootstrap(site, "DELTA_GRPC" if delta else "GRPC", admin_socket))
    arguments = ("-c", bootstrap, "--disable-hot-restart", "--concurrency", "1", "-l", "info")
    transport = httpx.AsyncHTTPTransport(uds=str(admin_socket))
    async with (
        running("envoy", find_envoy(), *arguments) as process,
        httpx.AsyncClient(transport=transport, base_url="http://admin") as admin,
    ):
        await site.hub.until(lambda: bool(site.hub.connections))
        yield Running(site, process, admin, delta)


Claim = Callable[[Running, Backend, Backend], Awaitable[None]]


async def configuration_takes_effect(it: Running, one: Backend, two: Backend) -> None:
    assert await it.ask() == "one"
    # Endpoints.
    seen = len(it.connection.acknowledged_types)
    it.site.hub.publish(
        a_snapshot(a_cluster("a"), endpoints("a", two.port), a_listener(), routes("a"))
    )
    await it.acknowledged(ENDPOINT, after=seen)
    assert it.connection.sent_types[-1:] == [ENDPOINT]
    assert await it.ask() == "two"
    # A new cluster and the route to it; the old one leaves.
    seen = len(it.connection.acknowledged_types)
    it.site.hub.publish(
        a_snapshot(a_cluster("b"), endpoints("b", one.port), a_listener(), routes("b"))
    )
    await it.acknowledged(CLUSTER, ENDPOINT, ROUTE, after=seen)
    assert await it.ask() == "one"
    await it.site.hub.until(lambda: it.connection.acknowledged_types[seen:].count(CLUSTER) == 2)
    assert "a::" not in (await it.admin.get("/clusters")).text
    assert await it.stat("control_plane.identifier") == '"cp-1"'


async def a_changed_cluster_warms_at_once(it: Running, one: Backend, two: Backend) -> None:
    """Its acknowledgement comes once it is warm; without its endpoints that took 15 s."""
    for number in range(2, 5):
        seen = len(it.connection.acknowledged_types)
        changed = a_cluster("a", timeout=f"{number}s")
        it.site.hub.publish(
            a_snapshot(changed, endpoints("a", one.port), a_listener(), routes("a"))
        )
        async with asyncio.timeout(12):
            await it.acknowledged(CLUSTER, ENDPOINT, after=seen)
        assert await it.ask() == "one"
    assert await it.stat("cluster_manager.warming_clusters") == "0"


async def a_rejection_keeps_the_last_good(it: Running, one: Backend, two: Backend) -> None:
    bad = a_listener(bad=True)
    rest = (a_cluster("a"), endpoints("a", one.port), routes("a"))
    it.site.hub.publish(a_snapshot(bad, *rest))
    await it.site.hub.until(lambda: bool(it.connection.rejections))
    assert await it.ask() == "one"
    sent = len(it.connection.sent_types)
    it.site.hub.publish(a_snapshot(bad, *rest))
    seen = len(it.connection.acknowledged_types)
    it.site.hub.publish(a_snapshot(bad, a_cluster("a"), endpoints("a", two.port), routes("a")))
    await it.acknowledged(ENDPOINT, after=seen)
    assert await it.ask() == "two"
    assert it.connection.sent_types[sent:] == [ENDPOINT]
    [(type_url, error)] = it.connection.rejections
    assert (type_url, "entry" in error) == (LISTENER, True)
    it.site.hub.publish(a_snapshot(a_listener(prefix="mended"), *rest))
    await it.acknowledged(LISTENER, after=seen)
    assert await it.ask() == "one"


async def what_is_known_is_not_sent_again(it: Running, one: Backend, two: Backend) -> None:
    """The stream ends and Envoy opens another: only what changed meanwhile is sent."""
    it.connection.refuse(ProxyRefused("unavailable", "go and come back"))
    it.site.hub.publish(
        a_snapshot(a_listener(), a_cluster("a"), routes("a"), endpoints("a", two.port))
    )
    await it.site.hub.until(lambda: len(it.site.hub.connections) == 2)
    await it.acknowledged(ENDPOINT)
    assert await it.ask() == "two"
    expected = [ENDPOINT] if it.delta else [ENDPOINT, ROUTE]
    assert sorted(it.connection.sent_types) == expected


CLAIMS = [
    configuration_takes_effect,
    a_changed_cluster_warms_at_once,
    a_rejection_keeps_the_last_good,
    what_is_known_is_not_sent_again,
]


@pytest.mark.parametrize("delta", [True, False], ids=["delta", "state of the world"])
@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
def test_with_a_real_envoy(
    claim: Claim, delta: bool, certificate: ServerCertificate, tmp_path: Path
) -> None:
    async def hold() -> None:
        async with (
            Backend("one") as one,
            Backend("two") as two,
            running_site(certificate) as site,
        ):
            first = (a_cluster("a"), endpoints("a", one.port), a_listener(), routes("a"))
            site.hub.publish(a_snapshot(*first))
            async with envoy(site, tmp_path, delta=delta) as it:
                await it.acknowledged(CLUSTER, ENDPOINT, LISTENER, ROUTE)
                await claim(it, one, two)

    uvloop.run(hold())


def test_envoy_is_sent_away_when_the_server_stops(
    certificate: ServerCertificate, tmp_path: Path
) -> None:
    async def hold() -> None:
        async with Backend("one") as one, running_site(certificate) as site:
            first = (a_cluster("a"), endpoints("a", one.port), a_listener(), routes("a"))
            site.hub.publish(a_snapshot(*first))
            async with envoy(site, tmp_path, delta=True) as it:
                await it.acknowledged(CLUSTER, ENDPOINT, LISTENER, ROUTE)
                async with asyncio.timeout(30):
                    await site.server.drain_and_stop(timedelta(seconds=60))
                assert site.server.connections == 0
                assert await it.ask() == "one"

    uvloop.run(hold())
