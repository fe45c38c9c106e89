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
from kuma.plan.tls import MutualTls, Secrets
from kuma.resolve.endpoints import enabled_backend, place_endpoints
from kuma.resolve.identities import possible_ids
from kuma.resolve.secrets import mesh_secrets
from kuma.resolve.view import MeshView, ServiceInbound
from kuma.resources import labels as well_known
from kuma.resources.kinds.mesh import MtlsMode
from kuma.resources.kinds.mesh_service import (
    MeshServiceSpec,
    MeshServiceStatus,
    ServicePort,
    TlsStatus,
)
from kuma.resources.kri import build_sni, kri_of
from kuma.resources.match import find_subdomain_errors
from kuma.resources.resource import AnyResource


@derived
def mesh_service_protocol(view: MeshView, of: ResourcePort) -> Protocol:
    port = _port(view, of)
    return Protocol.TCP if port is None else parse_protocol(port.app_protocol)


@derived
def port_endpoints(
    view: MeshView, of: ResourcePort, cluster: str, preference: Preference | None
) -> EndpointSet:
    """The ready inbounds behind the port, under the name of its cluster. A Dataplane of which no inbound
    with the tags that are asked for is ready has none."""
    ready = (each for each in port_inbounds(view, of) if each.ready)
    return place_endpoints(view, cluster, ready, preference)


@derived
def port_tls(view: MeshView, of: ResourcePort, secrets: Secrets | None = None) -> MutualTls | None:
    """As for a service by tags, but that `status.tls` decides where the mesh is not strict.

    # Differs from Kuma: who may answer is read from the Dataplanes themselves, not from
    `spec.identities`, so that no caller trusts everybody until those are written. And a client with
    a MeshIdentity, too, waits until the service has certificates.
    """
    backend = enabled_backend(view)
    resource = view.service(of.kind, of.name)
    if resource is None or (backend is None and secrets is None):
        return None
    is_strict = backend is not None and backend.mode is MtlsMode.STRICT
    if not is_strict and not _is_tls_ready(resource):
        return None
    found = secrets or mesh_secrets(view)
    return MutualTls(
        sni=port_sni(view, resource, of, by_kri=secrets is not None),
        sans=_identities(view, resource.name),
        identity_secret=found.identity,
        ca_secret=found.ca,
        agent=found.agent,
    )


@derived
def _identities(view: MeshView, mesh_service: str) -> tuple[str, ...]:
    """Of all who may answer, as they are known by tags and by MeshIdentities; sorted."""
    found: set[str] = set()
    for member in view.members(mesh_service):
        found.update(f"spiffe://{view.mesh_name}/{service}" for service in member.services)
        found.update(possible_ids(view, dict(member.labels)))
    return tuple(sorted(found))


def port_sni(view: MeshView, resource: AnyResource, of: ResourcePort, *, by_kri: bool) -> str:
    """A name of a KRI that is too long for a server name, or has underscores, gives the other form.

    # Differs from Kuma, where nobody with a MeshIdentity reaches such a service.
    """
    kri = kri_of(resource)
    if by_kri and kri is not None:
        made = build_sni(kri.with_section(of.section))
        if not find_subdomain_errors(made):
            return made
    return names.resource_sni(_sni_name(resource), view.mesh_name, resource.kind.short, of.port)


def port_inbounds(view: MeshView, of: ResourcePort) -> Iterator[ServiceInbound]:
    port = _port(view, of)
    if port is None:
        return
    for member in view.members(of.name):
        for inbound in member.inbounds if member.answers else ():
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


def _sni_name(resource: AnyResource) -> str:
    """The name, with the namespace for a copy of a service of Kubernetes."""
    namespace = resource.labels.get(well_known.K8S_NAMESPACE)
    origin = resource.labels.get(well_known.ORIGIN)
    if origin == "global":
        return f"{resource.display_name}.{namespace}" if namespace else resource.display_name
    return f"{resource.name}.{namespace}" if namespace and origin == "zone" else resource.name
