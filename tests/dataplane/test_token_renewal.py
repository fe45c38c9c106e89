"""A token that rotates reaches the control plane: kuma-dp, a real Envoy, a real gRPC server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from tests.dataplane.control_plane import a_token, control_plane, given
from tests.dataplane.test_run import STARTED, a_bootstrap, sidecar

pytestmark = pytest.mark.system

STREAM = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


class Streams(grpc.GenericRpcHandler):
    """Tells with which credential each stream came, and ends them on demand."""

    def __init__(self) -> None:
        self.credentials: asyncio.Queue[str] = asyncio.Queue()
        self._over = asyncio.Event()

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        assert details.method == STREAM
        return grpc.stream_stream_rpc_method_handler(self._stream)

    def end(self) -> None:
        self._over.set()
        self._over = asyncio.Event()

    async def _stream(self, _requests: Any, context: Any) -> None:
        metadata = dict(context.invocation_metadata())
        self.credentials.put_nowait(metadata["authorization"])
        await self._over.wait()


@asynccontextmanager
async def streams() -> AsyncIterator[tuple[Streams, int]]:
    server, handler = grpc.aio.server(), Streams()
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield handler, port
    finally:
        await server.stop(None)


def with_ads(request: dict[str, Any], port: int) -> dict[str, Any]:
    """As a control plane makes it: the token in the metadata of the stream."""
    address = {"socketAddress": {"address": "127.0.0.1", "portValue": port}}
    http2 = {
        "@type": f"type.googleapis.com/{HTTP_OPTIONS}",
        "explicitHttpConfig": {"http2ProtocolOptions": {}},
    }
    cluster = {
        "name": "ads_cluster",
        "type": "STATIC",
        "connectTimeout": "1s",
        "typedExtensionProtocolOptions": {HTTP_OPTIONS: http2},
        "loadAssignment": {
            "clusterName": "ads_cluster",
            "endpoints": [{"lbEndpoints": [{"endpoint": {"address": address}}]}],
        },
    }
    token = {"key": "authorization", "value": request["dataplaneToken"]}
    service = {"envoyGrpc": {"clusterName": "ads_cluster"}, "initialMetadata": [token]}
    bootstrap = a_bootstrap(request)
    bootstrap["staticResources"]["clusters"] = [cluster]
    bootstrap["dynamicResources"] = {
        "cdsConfig": {"ads": {}, "initialFetchTimeout": "0.05s", "resourceApiVersion": "V3"},
        "adsConfig": {
            "apiType": "DELTA_GRPC",
            "transportApiVersion": "V3",
            "grpcServices": [service],
        },
    }
    return bootstrap


async def test_the_next_stream_carries_the_new_token(tmp_path: Path) -> None:
    old, new = a_token(), a_token(expires=datetime(2101, 1, 1, tzinfo=UTC))
    file = tmp_path / "redis.token"
    async with (
        streams() as (ads, port),
        control_plane(tmp_path, given(lambda request: with_ads(request, port))) as plane,
        sidecar(plane, tmp_path) as dp,
    ):
        await dp.process.line(STARTED)
        async with asyncio.timeout(30):
            assert await ads.credentials.get() == old
            assert old not in (dp.work_dir / "bootstrap.yaml").read_text()
            file.write_text("not a token")
            await dp.process.line("the changed token is not used")
            replacement = tmp_path / "replacement"
            replacement.write_text(new)
            replacement.rename(file)
            await dp.process.line("the token has changed")
            ads.end()
            while (credential := await ads.credentials.get()) == old:
                ads.end()
            assert credential == new
