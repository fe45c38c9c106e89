"""Names, the last step of resolution: what is a resource is called by its KRI.

    plan with legacy names --> the same plan, renamed        apart, so that nothing else knows of names

Unified names are for proxies that ask for them, in meshes whose destinations are all resources; proxies
of one class that are named alike share.
Differs from Kuma: where two outbounds would get one name the first has it, and where two inbounds would,
none; there one hides the other.
Source: reference 6.2; Kuma, docs/madr 070 and 076.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from kuma.kit.derived import derived
from kuma.kit.slots import Slots
from kuma.plan import names
from kuma.plan.collector import Collectors
from kuma.plan.origin import Origin
from kuma.plan.proxy import (
    Destination,
    DirectAccess,
    Identity,
    Inbound,
    InboundPassthrough,
    Outbound,
    OutboundPassthrough,
)
from kuma.plan.route import (
    Forward,
    HttpRoute,
    HttpRouting,
    Mirror,
    Routing,
    TcpRouting,
    Weighted,
)
from kuma.plan.tls import InboundTls, MutualTls
from kuma.resolve.client import Client
from kuma.resolve.outbounds import DeclaredOutbound, SendingSide, sending_side
from kuma.resolve.target import kri_of_port
from kuma.resolve.view import MeshView
from kuma.resources.kri import kri_of

UNIFIED_NAMES = "feature-unified-resource-naming"


def is_unified(view: MeshView, features: tuple[str, ...]) -> bool:
    mesh = view.mesh()
    return UNIFIED_NAMES in features and mesh is not None and mesh.spec.has_only_mesh_services


@derived
def named_side(
    view: MeshView,
    client: Client,
    declared: tuple[DeclaredOutbound, ...],
    binds: bool,
    unified: bool,
) -> SendingSide:
    side = sending_side(view, client, declared, binds)
    if not unified and not any(each.resource for each in side.outbounds):
        return side
    kris = {
        each.name: kri_of_port(view, each.resource)
        for each in side.destinations
        if each.resource is not None and unified
    }
    outbounds: list[Outbound] = []
    taken: set[str] = set()
    for each in side.outbounds:
        named = _outbound(view, each, kris, unified=unified)
        outbounds.append(replace(named, unified_name="") if named.kri in taken else named)
        taken.add(named.kri)
    found = (_destination(view, each, kris, unified=unified) for each in side.destinations)
    destinations = tuple(sorted(found, key=lambda each: each.name))
    return SendingSide(tuple(outbounds), destinations, side.diagnostics)


def named_inbounds(
    view: MeshView, inbounds: tuple[Inbound, ...], unified: bool
) -> tuple[Inbound, ...]:
    if not unified:
        return inbounds
    sections = Counter(each.section for each in inbounds)
    return tuple(
        replace(
            each,
            unified_name=names.self_inbound(each.section) if sections[each.section] == 1 else "",
            tls=_with_secrets(view, each.tls),
        )
        for each in inbounds
    )


_Passthrough = TypeVar("_Passthrough", InboundPassthrough, OutboundPassthrough)


def named_passthroughs(passed: tuple[_Passthrough, ...], unified: bool) -> tuple[_Passthrough, ...]:
    return tuple(replace(each, is_unified=True) for each in passed) if unified else passed


def named_direct(view: MeshView, direct: DirectAccess | None, unified: bool) -> DirectAccess | None:
    if direct is None or not unified:
        return direct
    tls = None if direct.tls is None else _with_secrets(view, direct.tls)
    return replace(direct, tls=tls, is_unified=True)


def named_conf(conf: Slots, unified: bool) -> Slots:
    """Of the plan as a whole; one that carries nothing stays so."""
    if not unified or not conf.items:
        return conf
    return conf.put(replace(conf.get(Collectors) or Collectors(), is_unified=True))


def named_tls(view: MeshView, tls: InboundTls | None, unified: bool) -> InboundTls | None:
    return _with_secrets(view, tls) if unified else tls


def named_identity(view: MeshView, identity: Identity | None, unified: bool) -> Identity | None:
    return _with_secrets(view, identity) if unified else identity


def _outbound(
    view: MeshView, outbound: Outbound, kris: Mapping[str, str], *, unified: bool
) -> Outbound:
    """The routes of a resource have its KRI whatever the naming, as Kuma's have."""
    if outbound.resource is None:
        return replace(outbound, routing=_routing(outbound.routing, kris))
    kri = kri_of_port(view, outbound.resource)
    return replace(
        outbound,
        kri=kri,
        unified_name=kri if unified else "",
        service=kri if unified and kri else outbound.service,
        routing=_routing(_named_routes(view, outbound.routing, kri, unified=unified), kris),
    )


def _named_routes(view: MeshView, routing: Routing, kri: str, *, unified: bool) -> Routing:
    if not isinstance(routing, HttpRouting):
        return routing
    routes = tuple(
        replace(each, name=_route_name(view, each.origins[-1], unified)) if each.origins else each
        for each in routing.routes
    )
    return HttpRouting(kri or routing.name, routes)


@derived
def _route_name(view: MeshView, origin: Origin, unified: bool) -> str:
    """Of the policy that is strongest, and of its rule."""
    policies = (each for each in view.policies(origin.kind) if each.name == origin.name)
    policy = next(policies, None)
    kri = None if policy is None else kri_of(policy)
    if kri is None:
        return origin.name
    return str(kri.with_section(f"rule_{origin.rule or 0}") if unified else kri)


def _routing(routing: Routing, kris: Mapping[str, str]) -> Routing:
    if not kris:
        return routing
    if isinstance(routing, TcpRouting):
        split = tuple(_renamed(each, kris) for each in routing.split)
        return replace(routing, split=split)
    return replace(routing, routes=tuple(_route(each, kris) for each in routing.routes))


def _route(route: HttpRoute, kris: Mapping[str, str]) -> HttpRoute:
    if not isinstance(route.action, Forward):
        return route
    action = replace(
        route.action,
        split=tuple(_renamed(each, kris) for each in route.action.split),
        mirrors=tuple(_renamed(each, kris) for each in route.action.mirrors),
    )
    return replace(route, action=action)


def _destination(
    view: MeshView, destination: Destination, kris: Mapping[str, str], *, unified: bool
) -> Destination:
    if not unified:
        return destination
    name = kris.get(destination.name) or destination.name
    service = kris.get(destination.service) or destination.service
    tls = destination.tls
    named = _with_secrets(view, tls) if isinstance(tls, MutualTls) else tls
    return replace(destination, name=name, service=service, tls=named)


_Renamed = TypeVar("_Renamed", Weighted, Mirror)


def _renamed(part: _Renamed, kris: Mapping[str, str]) -> _Renamed:
    return replace(part, destination=kris.get(part.destination) or part.destination)


_Secured = TypeVar("_Secured", InboundTls | None, MutualTls, Identity | None)


def _with_secrets(view: MeshView, part: _Secured) -> _Secured:
    if part is None:
        return part
    mesh = view.mesh_name
    unified = {
        names.identity_secret(mesh): names.unified_identity_secret(mesh),
        names.ca_secret(mesh): names.unified_ca_secret(mesh),
    }
    return replace(
        part,
        identity_secret=unified.get(part.identity_secret, part.identity_secret),
        ca_secret=unified.get(part.ca_secret, part.ca_secret),
    )
