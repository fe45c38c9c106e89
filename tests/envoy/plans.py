"""Plan values for tests of rendering: valid by default, each argument one thing that matters."""

from dataclasses import replace

from kuma.kit.slots import EMPTY, Slots
from kuma.plan import names
from kuma.plan.endpoint import Endpoint, EndpointSet
from kuma.plan.protocol import Protocol
from kuma.plan.proxy import Destination, Inbound, Outbound, Resolved
from kuma.plan.route import (
    Forward,
    HttpMatch,
    HttpRoute,
    HttpRouting,
    PathKind,
    PathMatch,
    TcpRouting,
    Weighted,
)
from kuma.plan.tls import InboundTls, MutualTls, TlsMode, UpstreamTls

IDENTITY = names.identity_secret("default")
CA = names.ca_secret("default")


def conf(*values: object) -> Slots:
    slots = EMPTY
    for each in values:
        slots = slots.put(each)
    return slots


def an_inbound(
    protocol: Protocol = Protocol.HTTP, *, tls: InboundTls | None = None, confs: Slots = EMPTY
) -> Inbound:
    return Inbound(
        section="8080",
        address="192.168.0.1",
        port=8080,
        service_address="127.0.0.1",
        service_port=18080,
        protocol=protocol,
        service="backend",
        tags=(("kuma.io/protocol", str(protocol)), ("kuma.io/service", "backend")),
        tls=tls,
        conf=confs,
    )


def inbound_tls(mode: TlsMode = TlsMode.STRICT) -> InboundTls:
    return InboundTls(mode, IDENTITY, CA, ("spiffe://default/",))


def mutual_tls(service: str = "backend") -> MutualTls:
    return MutualTls(f"{service}{{mesh=default}}", (f"spiffe://default/{service}",), IDENTITY, CA)


def a_destination(
    name: str = "backend",
    protocol: Protocol = Protocol.HTTP,
    *,
    tls: UpstreamTls = None,
    confs: Slots = EMPTY,
) -> Destination:
    return Destination(name, name, protocol, tls=tls, conf=confs)


def an_external(
    *addresses: tuple[str, int], protocol: Protocol = Protocol.HTTP, tls: UpstreamTls = None
) -> Destination:
    endpoints = tuple(Endpoint(address, port) for address, port in addresses)
    return replace(a_destination("external", protocol, tls=tls), endpoints=Resolved(endpoints))


def prefix(value: str) -> HttpMatch:
    return HttpMatch(PathMatch(PathKind.PREFIX, value))


def exact(value: str) -> HttpMatch:
    return HttpMatch(PathMatch(PathKind.EXACT, value))


def a_forward(*split: tuple[str, int]) -> Forward:
    return Forward(tuple(Weighted(name, weight) for name, weight in split or (("backend", 100),)))


def an_http_outbound(
    *routes: HttpRoute, protocol: Protocol = Protocol.HTTP, confs: Slots = EMPTY
) -> Outbound:
    return Outbound(
        address="127.0.0.1",
        port=10001,
        service="backend",
        tags=(("kuma.io/service", "backend"),),
        protocol=protocol,
        routing=HttpRouting(
            names.outbound_route("backend"),
            routes or (HttpRoute("default", prefix("/"), a_forward()),),
        ),
        conf=confs,
    )


def a_tcp_outbound(*split: tuple[str, int], confs: Slots = EMPTY) -> Outbound:
    weighted = tuple(Weighted(name, weight) for name, weight in split)
    return replace(
        an_http_outbound(protocol=Protocol.TCP, confs=confs), routing=TcpRouting(weighted)
    )


def endpoint_set(*endpoints: Endpoint, name: str = "backend") -> EndpointSet:
    return EndpointSet(name, endpoints)
