"""A data plane server on a free port, with a certificate of its own and a hub made by hand."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from envoy.service.discovery.v3.ads_pb2_grpc import AggregatedDiscoveryServiceStub

from kuma.identity.server_tls import ServerCertificate, ensure_server_certificate
from kuma.kit.clock import SystemClock
from kuma.xds.http2.limits import Http2Limits
from kuma.xds.link import Timeouts
from kuma.xds.server import DataplaneServer
from tests.support.hub import FakeHub

CREDENTIAL = "Bearer token-of-this-proxy"


@dataclass
class Site:
    """The server and what is around it."""

    server: DataplaneServer
    hub: FakeHub
    certificate: ServerCertificate
    bootstraps: list[tuple[bytes, dict[str, str]]] = field(default_factory=list)
    bootstrap_may_end: asyncio.Event = field(default_factory=asyncio.Event)

    async def bootstrap(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, str, bytes]:
        self.bootstraps.append((body, dict(headers)))
        self.hub.changed()
        if body == b"slow":
            await self.bootstrap_may_end.wait()
        if body == b"broken":
            raise RuntimeError("a defect")
        return 200, "application/json", b'{"echo": "' + body + b'"}'

    def channel(self, **options: Any) -> grpc.aio.Channel:
        credentials = grpc.ssl_channel_credentials(self.certificate.cert_file.read_bytes())
        return grpc.aio.secure_channel(
            f"localhost:{self.server.port}",
            credentials,
            options=[("grpc.use_local_subchannel_pool", 1), *options.items()],
        )

    def stub(self, channel: grpc.aio.Channel) -> Any:
        return AggregatedDiscoveryServiceStub(channel)

    def client_context(self, *alpn: str) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.certificate.cert_file))
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context

    async def connect(self, *alpn: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        context = self.client_context(*alpn)
        return await asyncio.open_connection(
            "127.0.0.1", self.server.port, ssl=context, server_hostname="localhost"
        )


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ServerCertificate:
    return ensure_server_certificate(
        Path(tmp_path_factory.mktemp("tls")),
        hostname="localhost",
        addresses=("127.0.0.1",),
        clock=SystemClock(),
    )


@pytest.fixture
async def site(certificate: ServerCertificate) -> AsyncIterator[Site]:
    async with running_site(certificate) as made:
        yield made


class running_site:  # noqa: N801 - used as a function
    """Starts a Site, with other limits than the usual ones if a test needs them."""

    def __init__(
        self,
        certificate: ServerCertificate,
        *,
        timeouts: Timeouts | None = None,
        limits: Http2Limits | None = None,
    ) -> None:
        hub = FakeHub(credential=CREDENTIAL)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate.cert_file, certificate.key_file)

        async def bootstrap(body: bytes, headers: Mapping[str, str]) -> tuple[int, str, bytes]:
            return await self._site.bootstrap(body, headers)

        server = DataplaneServer(
            hub,
            bootstrap,
            context,
            host="127.0.0.1",
            port=0,
            control_plane="cp-1",
            timeouts=timeouts,
            limits=limits,
        )
        self._site = Site(server, hub, certificate)

    async def __aenter__(self) -> Site:
        await self._site.server.start()
        return self._site

    async def __aexit__(self, *exc: object) -> None:
        await self._site.server.drain_and_stop(timedelta(seconds=2))
