"""What a MeshService should be, from the Dataplanes: pure decisions of the leader's upkeep.

    Dataplanes with a service -> ports      (MeshServices that are generated)
    members and their insights -> spec.state, spec.identities, status
Source: Kuma, docs/madr 039; reference 6.4 and 10.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from kuma.kit.value import value
from kuma.pipeline.propagated_labels import Propagated
from kuma.plan.protocol import parse_protocol
from kuma.resolve.view import Member
from kuma.resolve.workload_identity import Known, announced_ids, best_match
from kuma.resources.kinds.dataplane import DataplaneSpec
from kuma.resources.kinds.dataplane_insight import DataplaneInsightSpec
from kuma.resources.kinds.mesh import MeshSpec
from kuma.resources.kinds.mesh_service import (
    IdentityType,
    MeshServiceSpec,
    MeshServiceStatus,
    ProxyCounts,
    ServiceIdentity,
    ServicePort,
    ServiceState,
    ServiceTls,
    TlsStatus,
)
from kuma.resources.resource import Resource

Ports = tuple[ServicePort, ...]


@value
class Generated:
    """`conflicting` are Dataplanes whose inbounds for the service differ from `ports`."""

    ports: Ports
    conflicting: tuple[str, ...] = ()
    propagated: Propagated | None = None
    """None: labels are not propagated."""


def generate_ports(
    service: str, dataplanes: Iterable[Resource[DataplaneSpec]], current: Ports | None
) -> Generated | None:
    """The ports that the Dataplanes of a service agree on: the current ones while anybody has them,
    else those of the oldest. None: nobody serves it."""
    oldest_first = sorted(dataplanes, key=lambda each: (each.meta.creation_time, each.name))
    offered = [(each.name, ports) for each in oldest_first if (ports := _ports(service, each))]
    if not offered:
        return None
    all_ports = [ports for _, ports in offered]
    chosen = current if current in all_ports else all_ports[0]
    assert chosen is not None  # None is in no list of ports
    return Generated(chosen, tuple(name for name, ports in offered if ports != chosen))


def _ports(service: str, dataplane: Resource[DataplaneSpec]) -> Ports:
    return tuple(
        ServicePort(
            name=inbound.section_name,
            port=inbound.port,
            target_port=inbound.port,
            app_protocol=parse_protocol(inbound.declared_protocol).value,
        )
        for inbound in dataplane.spec.networking.inbound
        if inbound.service == service
    )


@value
class Proxy:
    """A Dataplane behind a MeshService, with what is known of its connection. `has_certificate`: from
    the control plane, or it is connected, and asks the SPIRE agent on its machine. `has_identity`: it has
    a MeshIdentity; `spiffe_ids` are those that it has or may get soon."""

    member: Member
    is_online: bool = False
    has_certificate: bool = False
    has_identity: bool = False
    spiffe_ids: tuple[str, ...] = ()


def as_proxy(
    member: Member, insight: DataplaneInsightSpec | None, identities: tuple[Known, ...] = ()
) -> Proxy:
    issued = insight.mtls.issued_backend if insight is not None and insight.mtls else ""
    labels = dict(member.labels)
    known, is_online = best_match(identities, labels), insight is not None and insight.is_online
    return Proxy(
        member,
        is_online=is_online,
        has_certificate=is_online if known is not None and known.is_by_agent else bool(issued),
        has_identity=known is not None,
        spiffe_ids=announced_ids(identities, labels),
    )


def with_state(
    resource: Resource[MeshServiceSpec], mesh: MeshSpec, proxies: Sequence[Proxy]
) -> Resource[MeshServiceSpec]:
    """The MeshService with everything that the control plane keeps in it."""
    before = resource.status if isinstance(resource.status, MeshServiceStatus) else None
    before = before or MeshServiceStatus()
    healthy = sum(_is_healthy(resource.spec, each.member) for each in proxies)
    state = ServiceState.AVAILABLE if healthy else ServiceState.UNAVAILABLE
    services = {name for each in proxies for name in each.member.services}
    spiffe_ids = {name for each in proxies for name in each.spiffe_ids}
    identities = tuple(
        ServiceIdentity(type=kind, value=each)
        for kind, found in (
            (IdentityType.SERVICE_TAG, services),
            (IdentityType.SPIFFE_ID, spiffe_ids),
        )
        for each in sorted(found)
    )
    counts = ProxyCounts(
        connected=sum(each.is_online for each in proxies) or None,
        healthy=healthy or None,
        total=len(proxies) or None,
    )
    kept = {"tls": _tls(before.tls, mesh, proxies), "dataplane_proxies": counts}
    spec = {"state": state, "identities": identities or None}
    return replace(
        resource,
        spec=resource.spec.model_copy(update=spec),
        status=before.model_copy(update=kept),
    )


def _tls(before: ServiceTls, mesh: MeshSpec, proxies: Sequence[Proxy]) -> ServiceTls:
    """Once ready it stays so while all have somebody who issues certificates: a proxy gets its own
    before it listens, so a new one must not turn its callers back to plaintext.

    # Differs from Kuma: proxies with a MeshIdentity count once they have their certificates, not at
    once; and a service is not ready any more when one of its proxies has lost its identity.
    """
    if mesh.enabled_backend is None and not all(each.has_identity for each in proxies):
        return ServiceTls(status=TlsStatus.NOT_READY)
    if before.status is TlsStatus.READY:
        return before
    if mesh.enabled_backend is None and not proxies:
        return ServiceTls(status=TlsStatus.NOT_READY)
    is_ready = all(each.has_certificate for each in proxies)
    return ServiceTls(status=TlsStatus.READY if is_ready else TlsStatus.NOT_READY)


def _is_healthy(spec: MeshServiceSpec, member: Member) -> bool:
    """Whether a ready inbound is behind every port.

    # Differs from Kuma: an inbound with `health.ready: false` is not ready here either.
    """
    ready = [each for each in member.inbounds if each.ready]
    return all(
        any(port.is_served_by(each.port, each.name) for each in ready) for port in spec.ports or ()
    )
