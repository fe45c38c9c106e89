"""What makes a Dataplane invalid. Wording and paths are Kuma's, where Kuma has the rule."""

import ipaddress
from collections.abc import Iterator

from kuma.resources import labels as well_known
from kuma.resources.kinds.dataplane.model import (
    BackendRef,
    DataplaneNetworking,
    DataplaneSpec,
    Gateway,
    Inbound,
    Outbound,
    ReachableBackendRef,
    TransparentProxying,
)
from kuma.resources.kinds.rules import (
    at_key,
    check_address,
    check_port,
    check_protocol_tag,
    check_tags,
    is_ip,
    is_protocol,
    protocol_hint,
)
from kuma.resources.kinds.unsupported import Unsupported, find_unsupported
from kuma.resources.names import check_name
from kuma.resources.resource import Resource
from kuma.resources.violation import Violation, at

UNSUPPORTED = (
    Unsupported("networking.gateway.type", "builtin gateways"),
    Unsupported("networking.listeners", "zone proxies"),
    Unsupported("networking.inbound[].serviceProbe", "health discovery"),
    Unsupported("metrics", "metrics of proxies"),
    Unsupported("probes", "virtual probes"),
)

_BACKEND_KINDS = ("MeshExternalService", "MeshMultiZoneService", "MeshService")
_PORTLESS_KIND = "MeshExternalService"

_SAME_ADDRESS = "serviceAddress and servicePort has to differ from address and port"

_MAX_INBOUNDS = 1024
"""# Differs from Kuma, which sets no limit. Each may be a service of its own, so that one Dataplane
# could change so many at once that nobody else is served meanwhile."""


def validate_dataplane(resource: Resource[DataplaneSpec]) -> tuple[Violation, ...]:
    spec = resource.spec
    found = (
        *_check_admin(spec.networking),
        *_check_gateway(spec.networking),
        *_check_networking(spec.networking),
    )
    return (*at("networking", found), *find_unsupported(spec, UNSUPPORTED))


def _check_admin(networking: DataplaneNetworking) -> Iterator[Violation]:
    if networking.admin is None:
        return
    port = networking.admin.port
    if port:  # Differs from Kuma, which takes any number, and Envoy then refuses the listener.
        yield from check_port("admin.port", port)
    interfaces = [networking.interface_of(inbound) for inbound in networking.inbound]
    taken = {(each.address, each.port) for each in interfaces}
    taken |= {(each.service_address, each.service_port) for each in interfaces}
    if any(port == used and _covers_loopback(address) for address, used in taken):
        yield Violation("admin.port", "must differ from inbound")
    if any(
        port == outbound.port and _covers_loopback(outbound.listening_address)
        for outbound in networking.outbound
    ):
        yield Violation("admin.port", "must differ from outbound")


def _check_gateway(networking: DataplaneNetworking) -> Iterator[Violation]:
    gateway = networking.gateway
    if gateway is None:
        return
    of = f"{gateway.type.lower()} gateways"
    if networking.inbound:
        yield Violation("inbound", f"inbound cannot be defined for {of}")
    if networking.listeners:
        yield Violation("listeners", f"listeners cannot be defined for {of}")
    yield from at("gateway", _check_gateway_tags(gateway))


def _check_gateway_tags(gateway: Gateway) -> Iterator[Violation]:
    protocol = gateway.tags.get(well_known.PROTOCOL_TAG, "tcp")
    if protocol.lower() != "tcp":
        yield Violation(
            at_key("tags", well_known.PROTOCOL_TAG),
            f'other values than tcp are not allowed, provided value "{protocol}"',
        )
    yield from check_tags("tags", gateway.tags, require_service=bool(gateway.tags))


def _check_networking(networking: DataplaneNetworking) -> Iterator[Violation]:
    yield from check_address("address", networking.address)
    if networking.advertised_address:  # Differs from Kuma, which takes any text.
        yield from check_address("advertisedAddress", networking.advertised_address)
    if len(networking.inbound) > _MAX_INBOUNDS:
        yield Violation("inbound", f"must have at most {_MAX_INBOUNDS} items")
    for index, inbound in enumerate(networking.inbound):
        yield from at(f"inbound[{index}]", _check_inbound(inbound, networking.address))
    for index, outbound in enumerate(networking.outbound):
        yield from at(f"outbound[{index}]", _check_outbound(outbound))
    if networking.transparent_proxying is not None:
        found = _check_redirection(networking.transparent_proxying)
        # Differs from Kuma, which writes `transparentProxing`.
        yield from at("transparentProxying", found)
    yield from _check_clashes(networking)


def _check_inbound(inbound: Inbound, address: str) -> Iterator[Violation]:
    yield from check_port("port", inbound.port)
    if inbound.service_port:
        yield from check_port("servicePort", inbound.service_port)
    yield from _check_inbound_addresses(inbound, address)
    yield from check_protocol_tag("tags", inbound.tags)
    yield from check_tags("tags", inbound.tags)
    if inbound.protocol and not is_protocol(inbound.protocol):
        yield Violation("protocol", f'has an invalid value "{inbound.protocol}". {protocol_hint()}')
    if inbound.tags and well_known.SERVICE_TAG not in inbound.tags:
        yield Violation(at_key("tags", well_known.SERVICE_TAG), "tag has to exist")


def _check_inbound_addresses(inbound: Inbound, address: str) -> Iterator[Violation]:
    to_itself = inbound.service_port in {0, inbound.port}
    if inbound.service_address:
        if not is_ip(inbound.service_address):
            yield Violation("serviceAddress", "serviceAddress has to be valid IP address")
        if inbound.service_address == (inbound.address or address) and to_itself:
            yield Violation("serviceAddress", _SAME_ADDRESS)
    if inbound.address and not is_ip(inbound.address):
        yield Violation("address", "address has to be valid IP address")


def _check_outbound(outbound: Outbound) -> Iterator[Violation]:
    yield from check_port("port", outbound.port)
    if outbound.address and not is_ip(outbound.address):
        yield Violation("address", "address has to be valid IP address")
    if outbound.backend_ref is None:
        yield from check_tags("tags", outbound.tags, require_service=True)
        return
    yield from _check_backend_ref(outbound.backend_ref)
    if outbound.tags:
        yield Violation("backendRef", "both backendRef and tags/service cannot be defined")


def _check_backend_ref(ref: BackendRef) -> Iterator[Violation]:
    if ref.kind not in _BACKEND_KINDS:
        available = ",".join(_BACKEND_KINDS)
        message = f"invalid value. Available values are: {available}"
        yield Violation("backendRef.kind", message)
    if not ref.name and not ref.labels:
        yield Violation("backendRef", "either 'name' or 'labels' should be specified")
    if ref.kind != _PORTLESS_KIND:
        yield from check_port("backendRef.port", ref.port)


def _check_redirection(declared: TransparentProxying) -> Iterator[Violation]:
    ports = {
        "redirectPortInbound": declared.redirect_port_inbound,
        "redirectPortOutbound": declared.redirect_port_outbound,
    }
    for field, port in ports.items():
        if port:  # Differs from Kuma: no port above 65535, which Envoy refuses
            yield from check_port(field, port)
    refs = declared.reachable_backends.refs if declared.reachable_backends else ()
    for index, ref in enumerate(refs):
        yield from at(f"reachableBackends.refs[{index}]", _check_reachable(ref))


def _check_reachable(ref: ReachableBackendRef) -> Iterator[Violation]:
    if ref.kind not in _BACKEND_KINDS:
        available = ",".join(_BACKEND_KINDS)
        yield Violation("kind", f"invalid value. Available values are: {available}")
    if ref.name:
        yield from check_name(ref.name)
    if not ref.name and ref.namespace:
        yield Violation("name", "name is required, when namespace is defined")
    elif not ref.name and not ref.labels:
        yield Violation("name", "name or labels are required")
    if ref.name and ref.labels:
        yield Violation("labels", "labels cannot be defined when name is specified")


def _check_clashes(networking: DataplaneNetworking) -> Iterator[Violation]:
    """Two listeners of one proxy on the same address and port: Envoy would refuse the second.

    Differs from Kuma: it accepts such a dataplane and Envoy rejects its configuration later.
    """
    taken: dict[tuple[str, int], str] = {}
    places = [
        (f"inbound[{index}]", inbound.address or networking.address, inbound.port)
        for index, inbound in enumerate(networking.inbound)
    ] + [
        (f"outbound[{index}]", outbound.listening_address, outbound.port)
        for index, outbound in enumerate(networking.outbound)
    ]
    for path, address, port in places:
        first = taken.setdefault((address, port), path)
        if first != path and port:
            yield Violation(
                f"{path}.port", f"{address}:{port} is already used by networking.{first}"
            )


def _covers_loopback(address: str) -> bool:
    if not is_ip(address):
        return False
    parsed = ipaddress.ip_address(address)
    return parsed.is_unspecified or str(parsed) == "127.0.0.1"
