"""Proxies of a set, connected: as far as a control plane needs it to say what their Envoys get."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
from envoy.config.core.v3.base_pb2 import Node
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse

from kuma.envoy.snapshot import TypeUrl
from kuma.xds.ads import STATE_PATH
from tests.compare.chance import Json
from tests.compare.side import Side

_METADATA = {
    "version": {
        "kumaDp": {"version": "2.14.3", "gitTag": "", "gitCommit": "", "buildDate": ""},
        "envoy": {"version": "1.37.0", "build": "", "kumaDpCompatible": True},
    },
    "features": ["feature-otel-via-kuma-dp", "feature-tcp-accesslog-via-named-pipe"],
    "otelEnvInventory": {
        "pipeEnabled": True,
        "shared": {"signal": "shared", "endpointPresent": True},
        "traces": {"signal": "traces", "headersPresent": True, "overrideKinds": ["headers"]},
        "validationErrors": ["metrics.mtls"],
    },
    "workdir": "/tmp/kuma-dp",
    "accessLogSocketPath": "/tmp/kuma-dp/kuma-access-log.sock",
    "metricsSocketPath": "/tmp/kuma-dp/kuma-metrics.sock",
    "systemCaPath": "/etc/ssl/certs/ca-certificates.crt",
    "dataplane.admin.port": "9901",
    "dataplane.admin.address": "127.0.0.1",
    "dataplane.proxyType": "dataplane",
    "dataplane.readinessReporter.port": "9902",
}
_WAIT = 10


@asynccontextmanager
async def connected(side: Side, dataplanes: Iterable[Json]) -> AsyncIterator[set[str]]:
    """The names of those that the control plane takes."""
    pem = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", side.xds_port))
    options = [("grpc.ssl_target_name_override", "localhost")]
    channel = grpc.aio.secure_channel(
        f"127.0.0.1:{side.xds_port}", grpc.ssl_channel_credentials(pem.encode()), options=options
    )
    async with AsyncExitStack() as streams:
        await streams.enter_async_context(channel)
        taken = [await _connect(side, channel, streams, each) for each in dataplanes]
        yield {name for name in taken if name}


async def _connect(
    side: Side, channel: grpc.aio.Channel, streams: AsyncExitStack, dataplane: Json
) -> str:
    """Asks for clusters, and acknowledges them. Empty: it is refused."""
    token = await side.token(dataplane)
    stream = channel.stream_stream(
        STATE_PATH,
        request_serializer=DiscoveryRequest.SerializeToString,
        response_deserializer=DiscoveryResponse.FromString,
    )(metadata=(("authorization", token),))
    streams.callback(stream.cancel)
    node = Node(id=f"{dataplane['mesh']}.{dataplane['name']}")
    node.metadata.update(_METADATA)
    try:
        await stream.write(DiscoveryRequest(node=node, type_url=TypeUrl.CLUSTER))
        async with asyncio.timeout(_WAIT):
            answer = await stream.read()
        await stream.write(
            DiscoveryRequest(
                type_url=TypeUrl.CLUSTER,
                version_info=answer.version_info,
                response_nonce=answer.nonce,
            )
        )
    except (grpc.RpcError, TimeoutError, AttributeError, asyncio.InvalidStateError):
        return ""
    name: str = dataplane["name"]
    return name
