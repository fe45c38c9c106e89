"""The ports of MeshServices as destinations: what they speak, where they are, with which TLS.

As `endpoints.py` does for services by tags. None of it depends on who asks.
Source: reference 6.4, 6.5 and 6.7.
"""

from collections.abc import Iterator

from kuma.kit.derived import derived
from kuma.plan import names
from kuma.plan.endpoint import EndpointSet, Preference
from kuma.plan.protocol import Protocol, parse_protocol
from kuma.plan.proxy import ResourcePort
from kuma.plan.tls import MutualTls
from kuma.resolve.endpoints import enabled_backend, place_endpoints
from kuma.resolve.view import MeshView, ServiceInbound
from kuma.resources import labels as well_known
from kuma.resources.kinds.mesh import MtlsMode
from kuma.resources.kinds.mesh_service import (
    MeshServiceSpec,
    MeshServiceStatus,
    ServicePort,
    TlsStatus,
)
from kuma.resources.resource import AnyResource


@derived
def mesh_service_protocol(view: MeshView, of: ResourcePort) -> Protocol:
    port = _port(view, of)
    return Protocol.TCP if port is None else parse_protocol(port.app_protocol)


@derived
def port_endpoints(
    view: MeshView, of: ResourcePort, cluster: str, preference: Preference | None
) -> EndpointSet:
    """The ready inbounds behind the port, under the name of its cluster."""
    ready = (each for each in port_inbounds(view, of) if each.ready)
    return place_endpoints(view, cluster, ready, preference)


@derived
def port_tls(view: MeshView, of: ResourcePort) -> MutualTls | None:
    """As for a service by tags. While the mesh is permissive, `status.tls` decides.

    # Differs from Kuma: who may answer is read from the Dataplanes themselves, not from
    `spec.identities`, so that no caller trusts everybody until those are written.
    """
    backend = enabled_backend(view)
    resource = view.service(of.kind, of.name)
    if backend is None or resource is None:
        return None
    if backend.mode is MtlsMode.PERMISSIVE and not _is_tls_ready(resource):
        return None
    mesh = view.mesh_name
    services = {name for member in view.members(resource.name) for name in member.services}
    return MutualTls(
        sni=names.resource_sni(sni_name(resource), mesh, resource.kind.short, of.port),
        sans=tuple(f"spiffe://{mesh}/{service}" for service in sorted(services)),
        identity_secret=names.identity_secret(mesh),
        ca_secret=names.ca_secret(mesh),
    )


def port_inbounds(view: MeshView, of: ResourcePort) -> Iterator[ServiceInbound]:
    port = _port(view, of)
    if port is None:
        return
    for member in view.members(of.name):
        for inbound in member.inbounds:
            if port.is_served_by(inbound.port, inbound.name):
                yield inbound


def _port(view: MeshView, of: ResourcePort) -> ServicePort | None:
    resource = view.service(of.kind, of.name)
    spec = resource.spec if resource is not None else None
    if not isinstance(spec, MeshServiceSpec):
        return None
    wanted = (of.port, of.section)
    return next(
        (each for each in spec.ports or () if (each.port, each.section_name) == wanted), None
    )


def _is_tls_ready(resource: AnyResource) -> bool:
    status = resource.status
    return isinstance(status, MeshServiceStatus) and status.tls.status is TlsStatus.READY


def sni_name(resource: AnyResource) -> str:
    """The name, with the namespace for a copy of a service of Kubernetes."""
    namespace = resource.labels.get(well_known.K8S_NAMESPACE)
    origin = resource.labels.get(well_known.ORIGIN)
    if origin == "global":
        return f"{resource.display_name}.{namespace}" if namespace else resource.display_name
    return f"{resource.name}.{namespace}" if namespace and origin == "zone" else resource.name
