"""The ports of MeshMultiZoneServices as destinations: all MeshServices behind them, as one.

A port means the ports with the same number of those MeshServices; one that has none is left out.
Source: https://kuma.io/docs/2.14.x/networking/meshmultizoneservice; reference 6.5.
"""

from collections.abc import Iterator
from dataclasses import replace

from kuma.kit.derived import derived
from kuma.plan.endpoint import EndpointSet, Preference
from kuma.plan.protocol import Protocol, parse_protocol
from kuma.plan.proxy import ResourcePort
from kuma.plan.tls import MutualTls, Secrets
from kuma.resolve.endpoints import place_endpoints
from kuma.resolve.mesh_services import port_inbounds, port_sni, port_tls
from kuma.resolve.view import MeshView
from kuma.resources.kinds.mesh_multi_zone_service import (
    MESH_MULTI_ZONE_SERVICE,
    MeshMultiZoneServiceSpec,
)
from kuma.resources.kinds.mesh_service import MESH_SERVICE, MeshServiceSpec


def is_multi_zone(of: ResourcePort) -> bool:
    return of.kind == MESH_MULTI_ZONE_SERVICE.name


@derived
def multi_zone_protocol(view: MeshView, of: ResourcePort) -> Protocol:
    found = view.service(of.kind, of.name)
    spec = found.spec if found is not None else None
    ports = spec.ports if isinstance(spec, MeshMultiZoneServiceSpec) else ()
    spoken = (parse_protocol(each.app_protocol) for each in ports if each.port == of.port)
    return next(spoken, Protocol.TCP)


@derived
def multi_zone_endpoints(
    view: MeshView, of: ResourcePort, cluster: str, preference: Preference | None
) -> EndpointSet:
    """The ready inbounds behind the port, each once, under the name of its cluster."""
    ready = (
        inbound
        for port in _ports_behind(view, of)
        for inbound in port_inbounds(view, port)
        if inbound.ready
    )
    return place_endpoints(view, cluster, dict.fromkeys(ready), preference)


@derived
def multi_zone_tls(
    view: MeshView, of: ResourcePort, secrets: Secrets | None = None
) -> MutualTls | None:
    """Whoever may answer for one of the MeshServices may answer. None: for one of them there is no
    TLS, or there are none.

    # Differs from Kuma: a permissive mesh waits until all of them are ready; it calls some in vain.
    """
    found = view.service(of.kind, of.name)
    each_tls = [port_tls(view, port, secrets) for port in _ports_behind(view, of)]
    known = [tls for tls in each_tls if tls is not None]
    if found is None or not known or len(known) < len(each_tls):
        return None
    return replace(
        known[0],
        sni=port_sni(view, found, of, by_kri=secrets is not None),
        sans=tuple(sorted({san for tls in known for san in tls.sans})),
    )


@derived
def _ports_behind(view: MeshView, of: ResourcePort) -> tuple[ResourcePort, ...]:
    return tuple(_find_ports(view, of))


def _find_ports(view: MeshView, of: ResourcePort) -> Iterator[ResourcePort]:
    for name in view.matched(of.name):
        found = view.service(MESH_SERVICE.name, name)
        spec = found.spec if found is not None else None
        for port in (spec.ports or ()) if isinstance(spec, MeshServiceSpec) else ():
            if port.port == of.port:
                yield ResourcePort(MESH_SERVICE.name, name, port.port, port.section_name)
                break
