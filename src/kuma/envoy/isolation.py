"""A policy that fails costs the part that it fails on, and nothing else.

    shapers --> part        good: nothing more happens
       one raises --> the part anew, without that one; or closed, if that one guards it

Nothing is copied beforehand, so what does not fail pays nothing. See docs/decisions/004.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from envoy.config.route.v3.route_components_pb2 import DirectResponseAction, Route, RouteMatch

from kuma.envoy import cluster, listener
from kuma.envoy.finished import Finished, Made
from kuma.envoy.internal import DEFAULT, InternalRanges
from kuma.envoy.message import as_resource
from kuma.envoy.render import Renderer, ShaperFailed
from kuma.envoy.route import build_routes
from kuma.envoy.shaper import Shaper
from kuma.envoy.snapshot import EnvoyResource, TypeUrl
from kuma.kit.slots import EMPTY, Slots
from kuma.plan import names
from kuma.plan.failure import CLOSED, LEFT_OUT, Failure, told
from kuma.plan.proxy import Destination, DirectAccess, Inbound, Outbound, OutboundPassthrough

T = TypeVar("T")
_FORBIDDEN = Route(match=RouteMatch(prefix="/"), direct_response=DirectResponseAction(status=403))


class IsolatingRenderer(Renderer):
    """`tell` hears of what failed, as often as it does."""

    def __init__(
        self,
        shapers: Sequence[Shaper],
        tell: Callable[[Failure], None],
        *,
        internal: InternalRanges = DEFAULT,
    ) -> None:
        super().__init__(shapers, internal=internal)
        self._tell = tell

    def inbound(self, inbound: Inbound) -> tuple[EnvoyResource, ...]:
        return self._made(
            f"inbound {inbound.section}",
            lambda renderer: renderer.inbound(inbound),
            lambda: _closed_inbound(inbound),
        )

    def outbound(self, outbound: Outbound) -> tuple[EnvoyResource, EnvoyResource | None]:
        return self._made(
            f"outbound {outbound.address}:{outbound.port}",
            lambda renderer: renderer.outbound(outbound),
            lambda: (_listener(outbound), None),
        )

    def beside(self, part: Inbound | Outbound) -> tuple[EnvoyResource, ...]:
        return self._made(
            f"clusters beside {part.listener_name}",
            lambda renderer: renderer.beside(part),
            tuple,
        )

    def destination(self, destination: Destination, *, system_ca_path: str = "") -> EnvoyResource:
        return self._made(
            f"destination {destination.name}",
            lambda renderer: renderer.destination(destination, system_ca_path=system_ca_path),
            lambda: _nowhere(destination),
        )

    def direct_access(self, plan: DirectAccess) -> tuple[EnvoyResource, ...]:
        return self._made(
            names.DIRECT_ACCESS,
            lambda renderer: renderer.direct_access(plan),
            lambda: Renderer().direct_access(plan),
        )

    def passed_out(
        self, plan: OutboundPassthrough
    ) -> tuple[tuple[EnvoyResource, ...], tuple[EnvoyResource, ...]]:
        closed = replace(plan, is_open=False, conf=EMPTY)
        return self._made(
            plan.name,
            lambda renderer: renderer.passed_out(plan),
            lambda: Renderer().passed_out(closed),
        )

    def finish(self, made: Made, conf: Slots) -> Finished:
        return self._made(
            made.resource.name,
            lambda renderer: renderer.finish(made, conf),
            lambda: Finished((made,)),
        )

    def added(self, conf: Slots, *, system_ca_path: str = "") -> Finished:
        return self._made(
            "the proxy",
            lambda renderer: renderer.added(conf, system_ca_path=system_ca_path),
            lambda: Finished(()),
        )

    def _made(self, part: str, make: Callable[[Renderer], T], close: Callable[[], T]) -> T:
        shapers = self._shapers
        while True:
            try:
                return make(Renderer(shapers, internal=self._internal))
            except ShaperFailed as failed:
                broken = failed.shaper
                error = told(failed.__cause__ or failed)
                self._tell(Failure(broken.kind, part, error, CLOSED if broken.guards else LEFT_OUT))
                if broken.guards:
                    return close()
                shapers = tuple(each for each in shapers if each is not broken)
            except Exception as error:
                self._tell(Failure("", part, told(error), CLOSED))
                return close()


def _closed_inbound(inbound: Inbound) -> tuple[EnvoyResource, ...]:
    """Connections from before keep their chain until they are drained, so its routes are closed too."""
    upstream = cluster.finish(cluster.build_inbound_cluster(inbound))
    made = (_listener(inbound), as_resource(TypeUrl.CLUSTER, upstream.name, upstream))
    if not inbound.protocol.is_http:
        return made
    name = inbound.route_name
    routes = build_routes(name, virtual_host=name, routes=[_FORBIDDEN])
    return (*made, as_resource(TypeUrl.ROUTE, name, routes))


def _listener(part: Inbound | Outbound) -> EnvoyResource:
    made = listener.build_closed(part)
    return as_resource(TypeUrl.LISTENER, made.name, made)


def _nowhere(destination: Destination) -> EnvoyResource:
    made = cluster.build_nowhere(destination.name)
    return as_resource(TypeUrl.CLUSTER, made.name, made)
