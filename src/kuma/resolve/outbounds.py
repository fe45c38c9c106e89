"""The sending side of a proxy: its outbounds, and the destinations that their routes lead to.

Client (matched policies) + service -> Sending (routing, conf, targets)   shared by a class
Sending + address and port          -> Outbound                           the proxy's own
"""

from collections.abc import Callable
from dataclasses import replace

from kuma.kit.derived import derived
from kuma.kit.slots import EMPTY, Slots
from kuma.kit.value import value
from kuma.plan import names
from kuma.plan.endpoint import EndpointSet, Preference
from kuma.plan.protocol import Protocol
from kuma.plan.proxy import Destination, Diagnostic, Eds, Outbound, Resolved
from kuma.plan.route import HttpRoute, HttpRouting, Routing, TcpRouting, Weighted
from kuma.plan.tags import Tags
from kuma.plan.tls import MutualTls
from kuma.resolve.client import Client
from kuma.resolve.collectors import with_collectors
from kuma.resolve.endpoints import mutual_tls, resolve_endpoints, service_protocol
from kuma.resolve.external import resolve_outside
from kuma.resolve.placement import Placement, Rule
from kuma.resolve.ports import endpoints_of_port, port_destination, port_protocol
from kuma.resolve.resource_rules import entries_on_route, rule_of_port, rule_of_route
from kuma.resolve.routes import (
    DEFAULT_WEIGHT,
    Routed,
    resolve_backends,
    route_http,
)
from kuma.resolve.rules import Names, placement_of, rule_for
from kuma.resolve.target import PortTarget, ServiceTarget, Target
from kuma.resolve.view import MeshView


@value
class Sending:
    """What an outbound to a service does, wherever it listens."""

    protocol: Protocol
    routing: Routing
    conf: Slots
    targets: tuple[Target, ...]
    diagnostics: tuple[Diagnostic, ...] = ()


@value
class Reached:
    destination: Destination
    diagnostics: tuple[Diagnostic, ...] = ()


@value
class DeclaredOutbound:
    """An outbound as its Dataplane declares it. `tags` are all that it names."""

    address: str
    port: int
    service: str
    tags: Tags
    target: Target


@value
class SendingSide:
    """Sorted by address and by name."""

    outbounds: tuple[Outbound, ...]
    destinations: tuple[Destination, ...]
    diagnostics: tuple[Diagnostic, ...]


@derived
def sending_side(
    view: MeshView, client: Client, declared: tuple[DeclaredOutbound, ...], binds: bool
) -> SendingSide:
    made: dict[tuple[str, int], Outbound] = {}
    targets: dict[Target, None] = {}
    diagnostics: list[Diagnostic] = []
    for each in declared:
        behaviour = sending(view, client, each.target)
        diagnostics += behaviour.diagnostics
        targets.update(dict.fromkeys(behaviour.targets))
        made[each.address, each.port] = Outbound(
            address=each.address,
            port=each.port,
            service=each.service,
            tags=each.tags,
            protocol=behaviour.protocol,
            routing=behaviour.routing,
            bind=binds,
            conf=behaviour.conf,
            resource=each.target.resource if isinstance(each.target, PortTarget) else None,
            client_tags=client.shown,
        )
    found = [reached(view, client, target) for target in targets]
    diagnostics += [problem for each in found for problem in each.diagnostics]
    return SendingSide(
        tuple(made[place] for place in sorted(made)),
        tuple(sorted((each.destination for each in found), key=lambda each: each.name)),
        tuple(diagnostics),
    )


@derived
def sending(view: MeshView, client: Client, default: Target) -> Sending:
    """HTTP routes apply to services that speak HTTP; TCP routes to all others, and to HTTP services
    that no HTTP route speaks of."""
    protocol = _protocol(view, default)
    conf = _outbound_conf(view, client, default)
    http = _routing_rule(view, client, default, lambda p: p.http_routes is not None)
    tcp = _routing_rule(view, client, default, lambda p: p.tcp_backends is not None)
    if protocol.is_http and (http is not None or tcp is None):
        return _send_http(view, client, default, Sending(protocol, TcpRouting(()), conf, ()), http)
    protocol = Protocol.TCP if protocol.is_http else protocol
    return _send_tcp(view, default, Sending(protocol, TcpRouting(()), conf, ()), tcp)


def _send_http(
    view: MeshView,
    client: Client,
    default: Target,
    draft: Sending,
    found: tuple[Placement, Rule] | None,
) -> Sending:
    make = found[0].http_routes if found else None
    routed = route_http(view, make(found[1]) if make and found else (), default)
    routes = _with_confs(view, client, default, routed)
    return replace(
        draft,
        routing=HttpRouting(names.outbound_route(default.name), routes),
        targets=routed.targets,
        diagnostics=routed.diagnostics,
    )


def _with_confs(
    view: MeshView, client: Client, target: Target, routed: Routed
) -> tuple[HttpRoute, ...]:
    return tuple(
        replace(route, conf=_route_conf(view, client, target, route, rule_hash))
        for route, rule_hash in zip(routed.routes, routed.hashes, strict=True)
    )


def _route_conf(
    view: MeshView, client: Client, target: Target, route: HttpRoute, rule_hash: str
) -> Slots:
    """What holds for the destination over this route, then what names its MeshHTTPRoute in `to`.

    # Differs from Kuma: the latter counts for services by tag, too.
    """
    slots = EMPTY
    for kind, policies in client.policies:
        placement = placement_of(view, kind)
        if not placement.on_route:
            continue
        if isinstance(target, PortTarget):
            slots = _put(slots, _rule_on_route(view, kind, policies, target, route))
            continue
        rule = rule_for(view, kind, policies, target.service, rule_hash)
        confs = [] if rule is None else [rule.conf]
        for origin in route.origins[-1:]:
            sources = entries_on_route(view, kind, policies, origin.name)
            confs += [source.conf for source in sources]
        for conf in placement.merge(confs)[:1] if confs else ():
            slots = slots.put(conf)
    return with_collectors(view, slots)


def _rule_on_route(
    view: MeshView, kind: str, policies: Names, target: PortTarget, route: HttpRoute
) -> Rule | None:
    """What is said of the route itself, with what is said of the mesh, or else of the port."""
    for origin in route.origins[-1:]:
        if found := rule_of_route(view, kind, policies, origin.name):
            return found.as_rule()
    return _rule_for(view, kind, policies, target)


def _put(slots: Slots, rule: Rule | None) -> Slots:
    return slots if rule is None else slots.put(rule.conf)


def _send_tcp(
    view: MeshView, default: Target, draft: Sending, found: tuple[Placement, Rule] | None
) -> Sending:
    make = found[0].tcp_backends if found else None
    backend_refs = make(found[1]) if found and make else None
    if found is None or backend_refs is None:
        split = (Weighted(default.name, DEFAULT_WEIGHT),)
        return replace(draft, routing=TcpRouting(split), targets=(default,))
    origins = found[1].origins[-1:]
    backends = resolve_backends(view, backend_refs, origins, needs_http=False)
    return replace(
        draft,
        routing=TcpRouting(backends.split, origins),
        targets=backends.targets,
        diagnostics=backends.diagnostics,
    )


@derived
def reached(view: MeshView, client: Client, target: Target) -> Reached:
    """The destination that a target stands for, with what the policies say of its service."""
    conf = _conf(view, client, target, lambda placement: placement.on_destination)
    if isinstance(target, PortTarget):
        found, problems = port_destination(
            view, target, _preference(view, client, target), client.secrets
        )
        tls = _for_client(client, found.tls) if isinstance(found.tls, MutualTls) else found.tls
        return Reached(replace(found, conf=conf, tls=tls), problems)
    service, tags = target.service, target.tags
    outside = resolve_outside(view, service, tags)
    made = Destination(
        name=names.destination(service, tags),
        service=service,
        protocol=service_protocol(view, service),
        tags=tags,
        endpoints=Eds(_preference(view, client, target))
        if outside is None
        else Resolved(outside.endpoints),
        tls=_for_client(client, mutual_tls(view, service, tags, client.secrets))
        if outside is None
        else outside.tls,
        conf=conf,
    )
    return Reached(made, () if outside is None else outside.diagnostics)


def _for_client(client: Client, tls: MutualTls | None) -> MutualTls | None:
    return None if tls is None else replace(tls, parameters=client.tls)


def endpoints_of(view: MeshView, destination: Destination) -> EndpointSet:
    """Where a destination is whose endpoints come over EDS."""
    found = destination.endpoints
    preference = found.preference if isinstance(found, Eds) else None
    if destination.resource is not None:
        return endpoints_of_port(view, destination.resource, destination.name, preference)
    return resolve_endpoints(view, destination.service, destination.tags, preference)


def _preference(view: MeshView, client: Client, target: Target) -> Preference | None:
    """None: no policy says which endpoints of the target the client would rather use."""
    for kind, policies in client.policies:
        prefer = placement_of(view, kind).preference
        if prefer is not None and (rule := _rule_for(view, kind, policies, target)):
            return prefer(rule.conf, client.tags, view.zone)
    return None


def _routing_rule(
    view: MeshView, client: Client, target: Target, routes: Callable[[Placement], bool]
) -> tuple[Placement, Rule] | None:
    for kind, policies in client.policies:
        placement = placement_of(view, kind)
        if routes(placement) and (rule := _rule_for(view, kind, policies, target)):
            return placement, rule
    return None


def _rule_for(view: MeshView, kind: str, policies: Names, target: Target) -> Rule | None:
    """By tags for what is known by its tags, by resource for what is one."""
    if isinstance(target, ServiceTarget):
        return rule_for(view, kind, policies, target.service, "")
    found = rule_of_port(view, kind, policies, target.resource)
    return None if found is None else found.as_rule()


def _protocol(view: MeshView, target: Target) -> Protocol:
    if isinstance(target, PortTarget):
        return port_protocol(view, target.resource)
    return service_protocol(view, target.service)


def _conf(
    view: MeshView,
    client: Client,
    target: Target,
    rides: Callable[[Placement], bool],
) -> Slots:
    """What the policies say of a destination, for a part of the plan."""
    slots = EMPTY
    for kind, policies in client.policies:
        if rides(placement_of(view, kind)):
            slots = _put(slots, _rule_for(view, kind, policies, target))
    return slots


def _outbound_conf(view: MeshView, client: Client, target: Target) -> Slots:
    riding = _conf(view, client, target, lambda placement: placement.on_outbound)
    slots = with_collectors(view, riding)
    return slots if client.logged is None else slots.put(client.logged)
