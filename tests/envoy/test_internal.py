"""Which clients Envoy takes for internal: those of the ranges that the control plane knows."""

from dataclasses import replace

import httpx
import pytest
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)

from kuma.envoy.internal import DEFAULT, InternalRanges, internal_ranges
from kuma.envoy.isolation import IsolatingRenderer
from kuma.envoy.render import Renderer
from kuma.envoy.snapshot import EnvoyResource, TypeUrl
from kuma.kit.slots import EMPTY
from kuma.plan.proxy import OutboundPassthrough
from kuma.plan.route import HttpRoute
from kuma.policies.meshpassthrough.model import Match, MatchProtocol, MatchType, PassthroughConf
from kuma.policies.shapers import SHAPERS
from tests.envoy.plans import a_forward, an_http_outbound, an_inbound, prefix
from tests.envoy.test_traffic import to
from tests.support.envoy_running import an_envoy
from tests.support.mesh import a_backend
from tests.support.processes import accepts, free_ports

OWN = ("192.0.2.0/24", "2001:db8::/32")


@pytest.mark.parametrize(
    ("ranges", "has_ipv6", "expected"),
    [
        (
            DEFAULT,
            False,
            ["10.0.0.0/8", "192.168.0.0/16", "172.16.0.0/12", "127.0.0.1/32"],
        ),
        (DEFAULT, True, list(DEFAULT)),
        (OWN, False, ["192.0.2.0/24"]),
        (OWN, True, list(OWN)),
        ((), False, ["127.0.0.1/32"]),
        ((), True, ["127.0.0.1/32", "::1/128"]),
    ],
)
def test_ranges_are_those_that_were_given(
    ranges: InternalRanges, *, has_ipv6: bool, expected: list[str]
) -> None:
    found = internal_ranges(ranges, has_ipv6=has_ipv6).cidr_ranges
    assert [f"{each.address_prefix}/{each.prefix_len.value}" for each in found] == expected


OUTBOUND = an_http_outbound(HttpRoute("all", prefix("/"), a_forward()))
MATCH = Match(type=MatchType.DOMAIN, value="a.test", port=80, protocol=MatchProtocol.HTTP)
WAY_OUT = OutboundPassthrough(
    4,
    15001,
    is_open=False,
    conf=EMPTY.put(PassthroughConf(append_match=(MATCH,))),
)


def managers(resource: EnvoyResource) -> list[HttpConnectionManager]:
    found = []
    listener = Listener.FromString(resource.body)
    for chain in listener.filter_chains:
        for each in chain.filters:
            manager = HttpConnectionManager()
            if each.typed_config.Unpack(manager):
                found.append(manager)
    return found


@pytest.mark.parametrize(
    "renderer",
    [
        Renderer(SHAPERS, internal=OWN),
        IsolatingRenderer(SHAPERS, lambda _failure: None, internal=OWN),
    ],
)
def test_every_listener_of_traffic_has_them(renderer: Renderer) -> None:
    made = [
        *renderer.inbound(an_inbound()),
        renderer.outbound(OUTBOUND)[0],
        *renderer.passed_out(WAY_OUT)[0],
    ]
    found = [managers(each) for each in made if each.type_url is TypeUrl.LISTENER]
    assert all(found), "each has an HTTP connection manager"
    for manager in (one for each in found for one in each):
        assert manager.internal_address_config == internal_ranges(OWN, has_ipv6=False)


async def test_a_request_from_such_a_range_is_internal() -> None:
    (port,) = free_ports(1)
    everything = HttpRoute("all", prefix("/"), a_forward(("backend", 1)))
    outbound = replace(an_http_outbound(everything), port=port)
    renderer = Renderer(internal=OWN)
    async with a_backend("backend") as backend:
        made = [*renderer.outbound(outbound), renderer.destination(to(backend))]
        async with (
            an_envoy([each for each in made if each]),
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
        ):
            await accepts(port)

            async def is_internal(client_address: str) -> str | None:
                answer = await client.get("/", headers={"x-forwarded-for": client_address})
                headers: dict[str, str] = answer.json()["headers"]
                return headers.get("x-envoy-internal")

            assert await is_internal("192.0.2.7") == "true"
            assert await is_internal("10.1.2.3") is None
