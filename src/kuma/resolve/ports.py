"""Ports of resources as destinations, whatever the kind of the resource."""

from dataclasses import replace

from kuma.plan.endpoint import EndpointSet, Preference
from kuma.plan.protocol import Protocol
from kuma.plan.proxy import Destination, Diagnostic, Eds, Resolved, ResourcePort
from kuma.plan.tls import Secrets
from kuma.resolve.mesh_external_services import external_protocol, resolve_external
from kuma.resolve.mesh_services import mesh_service_protocol, port_endpoints, port_tls
from kuma.resolve.multi_zone_services import (
    is_multi_zone,
    multi_zone_endpoints,
    multi_zone_protocol,
    multi_zone_tls,
)
from kuma.resolve.target import PortTarget
from kuma.resolve.view import MeshView
from kuma.resources.kinds.mesh_external_service import MESH_EXTERNAL_SERVICE


def is_external(of: ResourcePort) -> bool:
    return of.kind == MESH_EXTERNAL_SERVICE.name


def port_protocol(view: MeshView, of: ResourcePort) -> Protocol:
    if is_external(of):
        return external_protocol(view, of.name)
    if is_multi_zone(of):
        return multi_zone_protocol(view, of)
    return mesh_service_protocol(view, of)


def port_destination(
    view: MeshView,
    target: PortTarget,
    preference: Preference | None,
    secrets: Secrets | None = None,
) -> tuple[Destination, tuple[Diagnostic, ...]]:
    """Without what policies say of it. `secrets`: where the client's certificate is, if it is not that
    of the mesh."""
    of = target.resource
    made = Destination(
        name=target.name, service=target.service, protocol=port_protocol(view, of), resource=of
    )
    if not is_external(of):
        find = multi_zone_tls if is_multi_zone(of) else port_tls
        return replace(made, endpoints=Eds(preference), tls=find(view, of, secrets)), ()
    outside = resolve_external(view, of)
    made = replace(made, endpoints=Resolved(outside.endpoints), tls=outside.tls)
    return made, outside.diagnostics


def endpoints_of_port(
    view: MeshView, of: ResourcePort, cluster: str, preference: Preference | None
) -> EndpointSet:
    """Where a port is whose endpoints come over EDS."""
    find = multi_zone_endpoints if is_multi_zone(of) else port_endpoints
    return find(view, of, cluster, preference)
