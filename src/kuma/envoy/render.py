"""Plan values -> Envoy's resources, part by part.

Each part of a plan is rendered alone: proxies whose plans share a part share its bytes. Pure, and
without a memory of its own: who calls it (the pipeline) remembers results by value.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.route.v3.route_components_pb2 import Route

from kuma.envoy import admin as admin_interface
from kuma.envoy import cluster, listener, passthrough, secret
from kuma.envoy.dynamic_config import build_dynamic_config
from kuma.envoy.endpoint import build_assignment
from kuma.envoy.finished import Finished, Made, Purpose
from kuma.envoy.internal import DEFAULT, InternalRanges
from kuma.envoy.message import as_resource
from kuma.envoy.otel_pipe import told_of
from kuma.envoy.route import (
    build_client_tags,
    build_inbound_routes,
    build_route,
    build_routes,
)
from kuma.envoy.shaper import Direct, InboundChain, OutboundChain, Shaper, Upstream
from kuma.envoy.snapshot import EnvoyResource, TypeUrl
from kuma.envoy.told import Told
from kuma.kit.slots import Slots
from kuma.plan.collector import Collectors
from kuma.plan.endpoint import EndpointSet
from kuma.plan.piped import Piped
from kuma.plan.proxy import (
    Admin,
    Agent,
    Destination,
    DirectAccess,
    Inbound,
    InboundPassthrough,
    Outbound,
    OutboundPassthrough,
)
from kuma.plan.route import HttpRoute, HttpRouting
from kuma.plan.secret import SecretBytes


class ShaperFailed(Exception):
    """What a shaper raised, a defect or a value that validation should have refused, and which one."""

    def __init__(self, shaper: Shaper, error: Exception) -> None:
        super().__init__(str(error))
        self.shaper = shaper


@contextmanager
def naming(shaper: Shaper) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise ShaperFailed(shaper, error) from error


class Renderer:
    """`shapers` edit each part in their order, a later one sees what an earlier one did. What they raise
    is a ShaperFailed; `isolation.py` has the renderer that goes on without. `internal`: which clients
    are."""

    def __init__(
        self, shapers: Sequence[Shaper] = (), *, internal: InternalRanges = DEFAULT
    ) -> None:
        self._shapers = tuple(shapers)
        self._internal = internal

    def inbound(self, inbound: Inbound) -> tuple[EnvoyResource, ...]:
        """The listener, the cluster of the workload, and the routes if it speaks HTTP."""
        made = listener.build_inbound(inbound, self._shape_inbound, internal=self._internal)
        upstream = cluster.build_inbound_cluster(inbound)
        self._shape(lambda shaper: shaper.inbound_cluster(upstream, inbound))
        both = (as_resource(TypeUrl.LISTENER, made.name, made), _cluster_resource(upstream))
        return (*both, self._inbound_routes(inbound)) if inbound.protocol.is_http else both

    def outbound(self, outbound: Outbound) -> tuple[EnvoyResource, EnvoyResource | None]:
        """The listener, and its routes if it speaks HTTP."""
        made = listener.build_outbound(outbound, self._shape_outbound, internal=self._internal)
        routes = self._routes(outbound)
        return as_resource(TypeUrl.LISTENER, made.name, made), routes

    def beside(self, part: Inbound | Outbound) -> tuple[EnvoyResource, ...]:
        """Clusters that the listener of a part needs for itself."""
        found: dict[str, Cluster] = {}
        self._shape(lambda shaper: found.update({each.name: each for each in shaper.beside(part)}))
        return tuple(as_resource(TypeUrl.CLUSTER, name, each) for name, each in found.items())

    def destination(self, destination: Destination, *, system_ca_path: str = "") -> EnvoyResource:
        """The cluster. `system_ca_path` is read only for a destination with TLS to the outside."""
        upstream = cluster.build_destination(destination, system_ca_path=system_ca_path)
        self._shape(lambda shaper: shaper.destination_cluster(upstream, destination))
        return _cluster_resource(upstream)

    def endpoints(self, endpoints: EndpointSet) -> EnvoyResource:
        return as_resource(TypeUrl.ENDPOINT, endpoints.name, build_assignment(endpoints))

    def passed_out(
        self, plan: OutboundPassthrough
    ) -> tuple[tuple[EnvoyResource, ...], tuple[EnvoyResource, ...]]:
        """The listener and its cluster; and the clusters that policies added."""
        made = passthrough.build_passed_out(plan, internal=self._internal)
        added: list[Cluster] = []
        self._shape(lambda shaper: added.extend(shaper.passed_out(made)))
        found = as_resource(TypeUrl.LISTENER, made.listener.name, made.listener)
        clusters = [] if made.cluster is None else [made.cluster]
        return (found, *map(_as_cluster, clusters)), tuple(map(_as_cluster, added))

    def passed_in(self, plan: InboundPassthrough) -> tuple[EnvoyResource, ...]:
        made, clusters = passthrough.build_passed_in(plan)
        return (as_resource(TypeUrl.LISTENER, made.name, made), *map(_as_cluster, clusters))

    def direct_access(self, plan: DirectAccess) -> tuple[EnvoyResource, ...]:
        """The cluster, the listeners, and the clusters that policies added."""
        listeners, cluster = passthrough.build_direct(plan)
        made, clusters = Direct(plan, listeners), {cluster.name: cluster}
        self._shape(lambda shaper: clusters.update({e.name: e for e in shaper.direct_access(made)}))
        found = (as_resource(TypeUrl.LISTENER, each.name, each) for each in made.listeners)
        return (*map(_as_cluster, clusters.values()), *found)

    def admin(self, admin: Admin) -> tuple[EnvoyResource, ...]:
        """The clusters, and the listener if there is one. Its TLS needs the secrets
        `names.ADMIN_IDENTITY` and `names.ADMIN_CA`."""
        clusters = admin_interface.build_clusters(admin)
        made = [as_resource(TypeUrl.CLUSTER, each.name, each) for each in clusters]
        found = admin_interface.build_listener(admin)
        if found is not None:
            made.append(as_resource(TypeUrl.LISTENER, found.name, found))
        return tuple(made)

    def agent(self, agent: Agent) -> EnvoyResource:
        """The cluster over which secrets are asked for."""
        return _as_cluster(cluster.build_agent(agent))

    def certificate(self, name: str, *, chain: bytes, key: SecretBytes) -> EnvoyResource:
        """A secret with a certificate and its key, in PEM."""
        return as_resource(
            TypeUrl.SECRET, name, secret.build_certificate(name, chain=chain, key=key)
        )

    def ca(self, name: str, *, ca: bytes) -> EnvoyResource:
        """A secret with the CAs, in PEM, that others are verified against."""
        return as_resource(TypeUrl.SECRET, name, secret.build_ca(name, ca=ca))

    def trust(self, name: str, *, domains: Sequence[tuple[str, bytes]]) -> EnvoyResource:
        """A secret with the CAs, in PEM, of each trust domain."""
        return as_resource(TypeUrl.SECRET, name, secret.build_trust(name, domains=domains))

    def finish(self, made: Made, conf: Slots) -> Finished:
        """`conf` is that of the whole plan; without one nothing needs finishing."""
        return self._finish((made,), conf)

    def added(self, conf: Slots, *, system_ca_path: str = "") -> Finished:
        """What `conf` asks for beside the parts of the plan. Under a name in use it replaces."""
        found = Finished(tuple(self._told(conf)))
        for shaper in self._shapers:
            before = self._finish_with(shaper, found.made, conf)
            with naming(shaper):
                more = shaper.add(conf, system_ca_path=system_ca_path)
            problems = (*found.problems, *before.problems, *more.problems)
            found = Finished((*before.made, *more.made), problems)
        return found

    def _told(self, conf: Slots) -> Iterator[Made]:
        told: list[Told] = []
        self._shape(lambda shaper: told.extend(shaper.told(conf)))
        if (piped := conf.get(Piped)) is not None:
            known = conf.get(Collectors) or Collectors()
            told.append(told_of(piped, is_unified=known.is_unified))
        made = build_dynamic_config(told)
        if made is not None:
            resource = as_resource(TypeUrl.LISTENER, made.name, made)
            yield Made(Purpose.DYNAMIC_CONFIG, resource)

    def _finish(self, made: tuple[Made, ...], conf: Slots) -> Finished:
        found = Finished(made)
        for shaper in self._shapers:
            after = self._finish_with(shaper, found.made, conf)
            found = Finished(after.made, (*found.problems, *after.problems))
        return found

    def _finish_with(self, shaper: Shaper, made: tuple[Made, ...], conf: Slots) -> Finished:
        with naming(shaper):
            each = [shaper.finish(one, conf) for one in made]
        return Finished(
            tuple(one for found in each for one in found.made),
            tuple(problem for found in each for problem in found.problems),
        )

    def _inbound_routes(self, inbound: Inbound) -> EnvoyResource:
        made = build_inbound_routes(inbound)
        self._shape(lambda shaper: shaper.inbound_routes(made.virtual_hosts[0], inbound))
        return as_resource(TypeUrl.ROUTE, made.name, made)

    def _routes(self, outbound: Outbound) -> EnvoyResource | None:
        routing = outbound.routing
        if not isinstance(routing, HttpRouting):
            return None
        made = build_routes(
            routing.name,
            virtual_host=outbound.service,
            routes=map(partial(self._route, outbound), routing.routes),
        )
        if outbound.client_tags:
            made.request_headers_to_add.append(build_client_tags(outbound.client_tags))
        return as_resource(TypeUrl.ROUTE, routing.name, made)

    def _route(self, outbound: Outbound, plan: HttpRoute) -> Route:
        route = build_route(plan)
        self._shape(lambda shaper: shaper.outbound_route(route, plan, outbound))
        return route

    def _shape_inbound(self, chain: InboundChain) -> None:
        self._shape(lambda shaper: shaper.inbound_chain(chain))

    def _shape_outbound(self, chain: OutboundChain) -> None:
        self._shape(lambda shaper: shaper.outbound_chain(chain))

    def _shape(self, edit: Callable[[Shaper], None]) -> None:
        for shaper in self._shapers:
            with naming(shaper):
                edit(shaper)


def _cluster_resource(upstream: Upstream) -> EnvoyResource:
    return _as_cluster(cluster.finish(upstream))


def _as_cluster(made: Cluster) -> EnvoyResource:
    return as_resource(TypeUrl.CLUSTER, made.name, made)
