"""Where a service lives, which protocol it speaks, and with which TLS one talks to it.

None of it depends on who asks, so all consumers of a service share it; but for the preference that
policies give to clients, and then all with an equal one share it.
Source: reference 6.4, 6.5 and 6.7.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import reduce

from kuma.kit.derived import derived
from kuma.plan import names
from kuma.plan.endpoint import Endpoint, EndpointSet, Preference
from kuma.plan.protocol import Protocol, common_protocol, parse_protocol
from kuma.plan.tags import Tags
from kuma.plan.tls import MutualTls, Secrets
from kuma.resolve.identities import possible_ids
from kuma.resolve.match import matches_tags
from kuma.resolve.secrets import mesh_secrets
from kuma.resolve.view import MeshView, ServiceInbound
from kuma.resources import labels as well_known
from kuma.resources.kinds.mesh import MtlsMode
from kuma.resources.kinds.mesh.model import CertificateAuthorityBackend

_LOCAL, _REMOTE = 0, 1


@derived
def resolve_endpoints(
    view: MeshView, service: str, tags: Tags, preference: Preference | None = None
) -> EndpointSet:
    """The ready endpoints of a service that carry `tags`, under their destination's name; for the
    clients that have this preference."""
    ready = [each for each in view.service_inbounds(service) if each.ready]
    chosen = [each for each in ready if matches_tags(tags, dict(each.tags))]
    return place_endpoints(view, names.destination(service, tags), chosen, preference)


def place_endpoints(
    view: MeshView,
    cluster: str,
    inbounds: Iterable[ServiceInbound],
    preference: Preference | None,
) -> EndpointSet:
    """These inbounds under the name of a cluster, as clients with this preference see them."""
    if preference is not None:
        preferred = (_preferred(view, each, preference) for each in inbounds)
        return EndpointSet(
            name=cluster,
            endpoints=tuple(sorted((each for each in preferred if each), key=_place)),
            overprovisioning=preference.overprovisioning,
            matches_sockets=matches_sockets(view),
        )
    by_locality = is_locality_aware(view)
    found = (_endpoint(view, each, by_locality) for each in inbounds)
    return EndpointSet(
        cluster, tuple(sorted(found, key=_place)), matches_sockets=matches_sockets(view)
    )


def _endpoint(view: MeshView, inbound: ServiceInbound, by_locality: bool) -> Endpoint:
    zone = dict(inbound.tags).get(well_known.ZONE_TAG, "") if by_locality else ""
    return Endpoint(
        address=inbound.address,
        port=inbound.port,
        tags=inbound.tags,
        zone=zone,
        priority=_LOCAL if zone in {"", view.zone} else _REMOTE,
    )


def _preferred(view: MeshView, inbound: ServiceInbound, preference: Preference) -> Endpoint | None:
    """None: the client does not want it. What names no zone is in the own one."""
    tags = dict(inbound.tags)
    zone = tags.get(well_known.ZONE_TAG, view.zone)
    plain = Endpoint(inbound.address, inbound.port, inbound.tags, zone=zone)
    if preference.failovers is None and not preference.affinities:
        is_remote = preference.is_by_zone and zone != view.zone
        return replace(plain, priority=_REMOTE if is_remote else _LOCAL)
    if zone == view.zone:
        known = {**dict(inbound.labels), **tags}
        near = (each for each in preference.affinities if known.get(each.key) == each.value)
        affinity = next(near, None)
        if affinity is None:
            return replace(plain, locality_weight=1)
        sub_zone = f"{affinity.key}={affinity.value}"
        return replace(plain, sub_zone=sub_zone, locality_weight=affinity.weight)
    admitting = (each for each in preference.failovers or () if each.admits(zone))
    failover = next(admitting, None)
    if failover is None:
        return None
    return replace(plain, priority=failover.priority, locality_weight=1)


def _place(endpoint: Endpoint) -> tuple[int, str, str, str, int, Tags]:
    locality = endpoint.priority, endpoint.zone, endpoint.sub_zone
    return *locality, endpoint.address, endpoint.port, endpoint.tags


@derived
def is_locality_aware(view: MeshView) -> bool:
    mesh = view.mesh()
    routing = mesh.spec.routing if mesh is not None else None
    return routing is not None and routing.locality_aware_load_balancing


@derived
def matches_sockets(view: MeshView) -> bool:
    """Whether any policy of the mesh chooses transport sockets by the tags of endpoints."""
    return any(
        placement.matches_sockets(policy.spec)
        for placement in view.placements
        if placement.matches_sockets is not None
        for policy in view.policies(placement.name)
    )


@derived
def service_protocol(view: MeshView, service: str) -> Protocol:
    """What all that serve it have in common; TCP for a service that nobody serves.

    # Differs from Kuma: endpoints that are not ready count too, so that a service whose last
    # endpoint fails does not turn from HTTP into TCP.
    """
    outside = view.external_services(service)
    spoken = [parse_protocol(each.spec.tags.get(well_known.PROTOCOL_TAG)) for each in outside]
    spoken += [parse_protocol(each.protocol) for each in view.service_inbounds(service)]
    return reduce(common_protocol, spoken) if spoken else Protocol.TCP


@derived
def is_known(view: MeshView, service: str) -> bool:
    """Whether anybody, ready or not, inside or outside, serves it."""
    return bool(view.service_inbounds(service) or view.external_services(service))


@derived
def enabled_backend(view: MeshView) -> CertificateAuthorityBackend | None:
    """The certificate authority in force; None: mutual TLS is off."""
    mesh = view.mesh()
    return mesh.spec.enabled_backend if mesh is not None else None


@derived
def mutual_tls(
    view: MeshView, service: str, tags: Tags, secrets: Secrets | None = None
) -> MutualTls | None:
    """TLS towards a service of this mesh, of a client whose certificate is at `secrets`; None: the one by
    the authority of the mesh. A service gets it once all its proxies have their
    certificates; in a strict mesh at once."""
    backend = enabled_backend(view)
    if backend is None and secrets is None:
        return None
    is_strict = backend is not None and backend.mode is MtlsMode.STRICT
    if not is_strict and not view.is_tls_ready(service):
        return None
    mesh, found = view.mesh_name, secrets or mesh_secrets(view)
    ids = {f"spiffe://{mesh}/{service}"}
    for inbound in view.service_inbounds(service):
        ids.update(possible_ids(view, dict(inbound.labels)))
    return MutualTls(
        sni=build_sni(mesh, service, tags),
        sans=tuple(sorted(ids)),
        identity_secret=found.identity,
        ca_secret=found.ca,
        agent=found.agent,
    )


def build_sni(mesh: str, service: str, tags: Tags) -> str:
    """`web{mesh=default,version=v1}`: what a zone ingress chooses the destination by."""
    pairs = sorted({**dict(tags), "mesh": mesh}.items())
    return f"{service}{{{','.join(f'{key}={text}' for key, text in pairs)}}}"
