"""What a policy costs that fails: the part that it fails on, and nothing else."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, NoReturn

import httpx
import pytest

from kuma.envoy.finished import Made, Purpose
from kuma.envoy.isolation import IsolatingRenderer
from kuma.envoy.render import Renderer
from kuma.envoy.shaper import InboundChain, Shaper, Upstream
from kuma.envoy.snapshot import EnvoyResource, TypeUrl
from kuma.kit.value import value
from kuma.plan.failure import CLOSED, LEFT_OUT, Failure
from kuma.plan.protocol import Protocol
from kuma.plan.proxy import Destination, DirectAccess, Inbound, OutboundPassthrough
from tests.envoy.plans import a_destination, a_tcp_outbound, an_http_outbound, an_inbound, conf
from tests.support.envoy_running import an_envoy
from tests.support.processes import accepts, free_ports


class Naming(Shaper):
    """Leaves a mark, to see that it was there."""

    kind = "MeshNaming"

    def destination_cluster(self, upstream: Upstream, destination: Destination) -> None:
        upstream.cluster.alt_stat_name += "named"

    def inbound_cluster(self, upstream: Upstream, inbound: Inbound) -> None:
        upstream.cluster.alt_stat_name += "named"


class Broken(Shaper):
    """Edits first, and then raises, at one hook."""

    kind = "MeshBroken"

    def __init__(self, hook: str) -> None:
        def fail(first: Any, *_: Any, **__: Any) -> NoReturn:
            if isinstance(first, Upstream):
                first.cluster.alt_stat_name = "half done"
            if isinstance(first, InboundChain):
                first.inspects_tls = True
            raise ValueError("cannot be")

        setattr(self, hook, fail)


class Guarding(Broken):
    guards = True


INBOUND = an_inbound()
TCP_INBOUND = an_inbound(Protocol.TCP)
OUTBOUND = an_http_outbound()
DESTINATION = a_destination()
DIRECT = DirectAccess((("192.168.0.2", 5432),))
PASSED = OutboundPassthrough(version=4, port=15001)
MADE = Made(Purpose.OUTBOUND, Renderer().destination(DESTINATION))


@value
class Carried:
    pass


Render = Callable[[Renderer], Any]
PARTS: dict[str, tuple[str, Render]] = {
    "inbound_chain": ("inbound 8080", lambda r: r.inbound(INBOUND)),
    "inbound_routes": ("inbound 8080", lambda r: r.inbound(INBOUND)),
    "inbound_cluster": ("inbound 8080", lambda r: r.inbound(INBOUND)),
    "outbound_chain": ("outbound 127.0.0.1:10001", lambda r: r.outbound(OUTBOUND)),
    "outbound_route": ("outbound 127.0.0.1:10001", lambda r: r.outbound(OUTBOUND)),
    "destination_cluster": ("destination backend", lambda r: r.destination(DESTINATION)),
    "passed_out": ("outbound:passthrough:ipv4", lambda r: r.passed_out(PASSED)),
    "direct_access": ("direct_access", lambda r: r.direct_access(DIRECT)),
    "beside": ("clusters beside outbound:127.0.0.1:10001", lambda r: r.beside(OUTBOUND)),
    "finish": ("backend", lambda r: r.finish(MADE, conf(Carried()))),
    "add": ("the proxy", lambda r: r.added(conf(Carried()))),
}


def isolated(*shapers: Shaper) -> tuple[IsolatingRenderer, list[Failure]]:
    told: list[Failure] = []
    return IsolatingRenderer(shapers, told.append), told


@pytest.mark.parametrize("hook", PARTS)
def test_a_part_is_as_if_the_policy_that_fails_were_not_there(hook: str) -> None:
    part, render = PARTS[hook]
    renderer, told = isolated(Naming(), Broken(hook), Naming())
    assert render(renderer) == render(Renderer((Naming(), Naming())))
    assert told == [Failure("MeshBroken", part, "ValueError: cannot be", LEFT_OUT)]


@pytest.mark.parametrize("hook", PARTS)
def test_what_does_not_fail_is_told_to_nobody(hook: str) -> None:
    renderer, told = isolated(Naming())
    assert PARTS[hook][1](renderer) == PARTS[hook][1](Renderer([Naming()]))
    assert told == []


def test_each_of_several_that_fail_is_left_out() -> None:
    renderer, told = isolated(Broken("inbound_chain"), Naming(), Broken("inbound_cluster"))
    assert renderer.inbound(INBOUND) == Renderer([Naming()]).inbound(INBOUND)
    assert [each.policy for each in told] == ["MeshBroken", "MeshBroken"]


@pytest.mark.parametrize("hook", ["inbound_chain", "inbound_routes"])
def test_an_inbound_that_is_guarded_is_closed(hook: str) -> None:
    renderer, told = isolated(Naming(), Guarding(hook))
    listener, upstream, routes = renderer.inbound(INBOUND)
    open_listener, open_upstream, open_routes = Renderer().inbound(INBOUND)
    assert (listener.name, upstream, routes.name) == (
        open_listener.name,
        open_upstream,
        open_routes.name,
    )
    assert told == [Failure("MeshBroken", "inbound 8080", "ValueError: cannot be", CLOSED)]


def test_traffic_that_is_passed_on_is_not_where_that_is_guarded() -> None:
    renderer, _ = isolated(Guarding("passed_out"))
    (listener,), added = renderer.passed_out(PASSED)
    assert (listener.type_url, added) == (TypeUrl.LISTENER, ())


@pytest.mark.parametrize(
    ("render", "kinds"),
    [
        (lambda r: r.inbound(INBOUND), [TypeUrl.LISTENER, TypeUrl.CLUSTER, TypeUrl.ROUTE]),
        (lambda r: r.inbound(TCP_INBOUND), [TypeUrl.LISTENER, TypeUrl.CLUSTER]),
        (lambda r: r.outbound(a_tcp_outbound()), [TypeUrl.LISTENER]),
        (lambda r: [r.destination(DESTINATION)], [TypeUrl.CLUSTER]),
    ],
)
def test_a_part_that_cannot_be_built_at_all_is_closed(
    render: Callable[[Renderer], Iterable[EnvoyResource | None]],
    kinds: list[TypeUrl],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any, **__: Any) -> NoReturn:
        raise KeyError("nobody thought of this")

    for module, builder in (
        ("listener", "build_inbound"),
        ("listener", "build_outbound"),
        ("cluster", "build_destination"),
    ):
        monkeypatch.setattr(f"kuma.envoy.{module}.{builder}", fail)
    renderer, told = isolated(Naming())
    found = [each.type_url for each in render(renderer) if each]
    assert found == kinds
    assert [(each.policy, each.outcome) for each in told] == [("", CLOSED)]


@pytest.mark.parametrize("inbound", [INBOUND, TCP_INBOUND])
async def test_a_closed_inbound_ends_connections(inbound: Inbound) -> None:
    [port] = free_ports(1)
    local = replace(inbound, address="127.0.0.1", port=port)
    renderer, _ = isolated(Guarding("inbound_chain"))
    async with an_envoy(renderer.inbound(local)):
        await accepts(port)
        async with httpx.AsyncClient() as client:
            with pytest.raises(httpx.HTTPError):
                await client.get(f"http://127.0.0.1:{port}/")
