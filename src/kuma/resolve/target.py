"""Targets: the destinations that outbounds and routes name, and how a name becomes one.

A ServiceTarget is known by tags: all inbounds of a `kuma.io/service` that carry them. A PortTarget is
a port of a resource: a MeshService, MeshExternalService or MeshMultiZoneService.
Source: Kuma, docs/madr 053; reference 6.2.
"""

from collections.abc import Iterator

from kuma.kit.derived import derived
from kuma.kit.value import value
from kuma.plan import names
from kuma.plan.origin import Origin
from kuma.plan.proxy import ResourcePort
from kuma.plan.tags import Tags
from kuma.resolve.view import MeshView
from kuma.resources import labels as well_known
from kuma.resources.kinds.mesh_external_service import MeshExternalServiceSpec
from kuma.resources.kinds.mesh_multi_zone_service import MESH_MULTI_ZONE_SERVICE
from kuma.resources.kri import kri_of
from kuma.resources.resource import AnyResource


@value
class ServiceTarget:
    """A service, and the subset of its endpoints with these tags."""

    service: str
    tags: Tags = ()

    @property
    def name(self) -> str:
        return names.destination(self.service, self.tags)


@value
class PortTarget:
    """`name` is that of the cluster."""

    resource: ResourcePort
    name: str

    @property
    def service(self) -> str:
        """What stands where services by tags have theirs: in virtual hosts and statistics."""
        return self.name


Target = ServiceTarget | PortTarget


@value
class Scope:
    """Where a reference stands: a name means a resource of the same zone and namespace."""

    zone: str = ""
    namespace: str = ""


@value
class Reference:
    """`section` is the name or the number of a port."""

    kind: str
    name: str
    section: str
    labels: Tags = ()


def scope_of(resource: AnyResource) -> Scope:
    return Scope(
        resource.labels.get(well_known.ZONE, ""),
        resource.labels.get(well_known.K8S_NAMESPACE, ""),
    )


@derived
def scope_of_policy(view: MeshView, origin: Origin) -> Scope:
    for policy in view.policies(origin.kind):
        if policy.name == origin.name:
            return scope_of(policy)
    return Scope()


def find_resources(
    view: MeshView, kind: str, name: str, labels: Tags, scope: Scope
) -> Iterator[AnyResource]:
    """By labels if there are any: all that have them; else the one with that name in the scope."""
    if labels:
        for each in view.services(kind):
            if all(each.labels.get(key) == text for key, text in labels):
                yield each
        return
    direct = view.service(kind, name)
    if direct is not None and _is_called(direct, name, scope):
        yield direct
        return
    for each in view.services(kind):
        if _is_called(each, name, scope):
            yield each
            return


@derived
def find_port(view: MeshView, reference: Reference, scope: Scope) -> PortTarget | None:
    """The port that a reference means. Of several resources with its labels the oldest."""
    found = list(find_resources(view, reference.kind, reference.name, reference.labels, scope))
    if not found:
        return None
    chosen = min(found, key=lambda each: (each.meta.creation_time, each.name))
    return _port_of(chosen, reference.section)


def _port_of(resource: AnyResource, section: str) -> PortTarget | None:
    port = _find_port(resource, section)
    if port is None:
        return None
    return port_target(resource, *port)


def port_target(resource: AnyResource, number: int, name: str) -> PortTarget:
    """That port of a resource, which it must have."""
    return PortTarget(
        resource=ResourcePort(resource.kind.name, resource.name, number, name),
        name=names.resource_destination(
            resource.mesh,
            resource.display_name,
            namespace=resource.labels.get(well_known.K8S_NAMESPACE, ""),
            zone=resource.labels.get(well_known.ZONE, ""),
            short=resource.kind.short,
            port=number,
        ),
    )


@derived
def kri_of_port(view: MeshView, of: ResourcePort) -> str:
    """Empty: the resource is not there any more."""
    found = view.service(of.kind, of.name)
    kri = None if found is None else kri_of(found)
    return "" if kri is None else str(kri.with_section(of.section))


def _find_port(resource: AnyResource, section: str) -> tuple[int, str] | None:
    """Number and name. A MeshExternalService has one port, and any reference means it."""
    ports = resource.kind.ports(resource.spec) if resource.kind.ports is not None else ()
    if isinstance(resource.spec, MeshExternalServiceSpec):
        return ports[0]
    return next((port for port in ports if section in {port[1], str(port[0])}), None)


def _is_called(resource: AnyResource, name: str, scope: Scope) -> bool:
    """# Differs from Kuma: a MeshMultiZoneService is of all zones, so its name means it in each of
    them; Kuma's policies of a zone cannot name one."""
    if resource.display_name != name:
        return False
    return resource.kind is MESH_MULTI_ZONE_SERVICE or scope_of(resource) == scope
