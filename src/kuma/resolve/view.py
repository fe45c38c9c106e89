"""What resolution may read of the world: the resources of one mesh, indexed. One view per mesh.

    store -> MeshView -> subject -> matched policies -> rules -> ProxyPlan

The pipeline's view remembers each derived fact and what it read; `PlainMeshView` (`plain_view.py`)
computes each time.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from kuma.kit.value import value
from kuma.plan.machine import Machine
from kuma.plan.secret import SecretBytes
from kuma.plan.tags import Tags, as_tags
from kuma.resolve.placement import Placement
from kuma.resources import labels as well_known
from kuma.resources.kinds.dataplane import DataplaneSpec
from kuma.resources.kinds.dataplane.model import Inbound, InboundState
from kuma.resources.kinds.external_service import ExternalServiceSpec
from kuma.resources.kinds.mesh import MeshSpec
from kuma.resources.kinds.mesh_service import Selector
from kuma.resources.resource import AnyResource, Resource
from kuma.resources.virtual_outbounds import Entry

SERVICE_LESS_PORT = 49151
"""Marks an inbound that stands for a workload without a service; it is never listened on."""

SERVICE_VIP_PORT = 80
"""The port of the virtual addresses of services by tags, unless `dnsServer.serviceVipPort` says
otherwise."""


@value
class ServiceInbound:
    """An inbound as its callers see it: at `address:port`. Sorted by dataplane and section.
    `labels` are those of its Dataplane."""

    dataplane: str
    section: str
    address: str
    port: int
    tags: Tags
    protocol: str
    ready: bool
    labels: Tags = ()
    name: str = ""


@value
class Member:
    """A Dataplane that a MeshService selects: every name that certificates of the mesh give it, sorted,
    its inbounds in order, and its labels. The names are those of its `kuma.io/service`, or without
    any the one in its label `kuma.io/workload`."""

    dataplane: str
    services: tuple[str, ...]
    inbounds: tuple[ServiceInbound, ...]
    labels: Tags = ()
    answers: bool = True
    """False: it is selected by tags, and no inbound that has them is ready."""


class MeshView(Protocol):
    """Reads of one mesh. `placements` are the policies in order of application, and constant."""

    @property
    def mesh_name(self) -> str: ...

    @property
    def zone(self) -> str: ...

    @property
    def placements(self) -> tuple[Placement, ...]: ...

    @property
    def service_vip_port(self) -> int:
        """The port of the virtual address of every service by tags."""

    @property
    def reaches_permitted_only(self) -> bool:
        """Whether proxies have outbounds only to services that let them call."""

    @property
    def spire_socket(self) -> str:
        """Where the SPIRE agent is on machines that have not said it."""

    def mesh(self) -> Resource[MeshSpec] | None: ...

    def policies(self, kind: str) -> tuple[AnyResource, ...]:
        """Sorted by name."""

    def dataplane(self, name: str) -> Resource[DataplaneSpec] | None: ...

    def service_inbounds(self, service: str) -> tuple[ServiceInbound, ...]:
        """Every inbound of any dataplane with that `kuma.io/service`, but for ignored ones."""

    def service_names(self) -> tuple[str, ...]:
        """Every `kuma.io/service` of an inbound, but for those of ignored ones; sorted."""

    def bare_inbounds(self) -> Mapping[str, tuple[ServiceInbound, ...]]:
        """By Dataplane, the inbounds without a `kuma.io/service`, but for ignored ones."""

    def external_services(self, service: str) -> tuple[Resource[ExternalServiceSpec], ...]:
        """Sorted by name."""

    def service(self, kind: str, name: str) -> AnyResource | None:
        """A MeshService or a relative, by the name of the resource."""

    def services(self, kind: str) -> tuple[AnyResource, ...]:
        """Sorted by name."""

    def members(self, mesh_service: str) -> tuple[Member, ...]:
        """The Dataplanes that a MeshService selects, sorted by name."""

    def virtual_outbounds(self, service: str = "") -> tuple[Entry, ...]:
        """The virtual addresses of services by tags, of one or of all; sorted by type and name."""

    def matched(self, multi_zone_service: str) -> tuple[str, ...]:
        """The names of the MeshServices behind a MeshMultiZoneService, sorted."""

    def is_tls_ready(self, service: str) -> bool:
        """Whether every proxy of the service has a certificate of the backend in force."""

    def secret(self, name: str) -> SecretBytes | None:
        """The content of a Secret of this mesh."""

    def file(self, path: str) -> bytes | None:
        """The content of a file of the control plane; None: it cannot be read."""

    def machine(self, name: str) -> Machine:
        """What the proxy of the Dataplane has said of its machine."""

    def derive(self, compute: Callable[..., Any], args: tuple[Any, ...], /) -> Any: ...


def index_inbounds(
    dataplane: Resource[DataplaneSpec],
) -> Iterator[tuple[str, ServiceInbound]]:
    """The services of a dataplane, each with the inbound that serves it."""
    for inbound in _called(dataplane):
        if inbound.service:
            yield inbound.service, as_service_inbound(dataplane, inbound)


def bare_inbounds_of(dataplane: Resource[DataplaneSpec]) -> tuple[ServiceInbound, ...]:
    """Those that serve nothing that has a name."""
    bare = (each for each in _called(dataplane) if not each.service)
    return tuple(as_service_inbound(dataplane, each) for each in bare)


def _called(dataplane: Resource[DataplaneSpec]) -> Iterator[Inbound]:
    for inbound in dataplane.spec.networking.inbound:
        if inbound.state is not InboundState.IGNORED and inbound.port != SERVICE_LESS_PORT:
            yield inbound


def as_service_inbound(dataplane: Resource[DataplaneSpec], inbound: Inbound) -> ServiceInbound:
    """# Differs from Kuma: `protocol` of an inbound holds for services by tags too."""
    interface = dataplane.spec.networking.interface_of(inbound)
    return ServiceInbound(
        dataplane=dataplane.name,
        section=inbound.section_name,
        address=interface.advertised_address,
        port=interface.port,
        tags=as_tags(inbound.tags),
        protocol=inbound.declared_protocol,
        ready=inbound.is_ready,
        labels=as_tags(dataplane.labels),
        name=inbound.name,
    )


def find_member(selector: Selector, dataplane: Resource[DataplaneSpec]) -> Member | None:
    """None: the selector does not select the Dataplane. Its inbounds are then all that it has: the
    ports of the MeshService pick among them."""
    inbounds = dataplane.spec.networking.inbound
    if not inbounds or not _selects(selector, dataplane):
        return None
    services = {each.service for each in inbounds} - {""}
    workload = dataplane.labels.get(well_known.WORKLOAD)
    return Member(
        dataplane=dataplane.name,
        services=tuple(sorted(services)) or ((workload,) if workload else ()),
        inbounds=tuple(
            as_service_inbound(dataplane, each)
            for each in inbounds
            if each.port != SERVICE_LESS_PORT
        ),
        labels=as_tags(dataplane.labels),
        answers=selector.dataplane_tags is None
        or any(each.is_ready for each in inbounds if _has_tags(each, selector.dataplane_tags)),
    )


def _selects(selector: Selector, dataplane: Resource[DataplaneSpec]) -> bool:
    """Tags must all be on one inbound. Nothing given, or no tags: nothing is selected."""
    if selector.dataplane_ref is not None:
        return selector.dataplane_ref.name == dataplane.name
    if selector.dataplane_tags is not None:
        return bool(selector.dataplane_tags) and any(
            _has_tags(inbound, selector.dataplane_tags)
            for inbound in dataplane.spec.networking.inbound
        )
    return selector.dataplane_labels is not None and selector.dataplane_labels.matches(
        dataplane.labels
    )


def _has_tags(inbound: Inbound, tags: Tags) -> bool:
    return all(inbound.tags.get(key) == text for key, text in tags)


def sort_inbounds(inbounds: Iterable[ServiceInbound]) -> tuple[ServiceInbound, ...]:
    return tuple(sorted(inbounds, key=lambda i: (i.dataplane, i.section, i.address, i.port)))
