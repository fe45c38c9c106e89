"""What the mesh knows of the proxy that asks: from the document in the request, or from the store."""

from dataclasses import replace
from typing import Protocol

from pydantic_core import from_json

from kuma.kit.value import value
from kuma.resources import labels as well_known
from kuma.resources.codec import parse_document
from kuma.resources.errors import InvalidResource
from kuma.resources.kinds.dataplane import DATAPLANE, DataplaneSpec
from kuma.resources.kinds.mesh import MESH, MeshSpec
from kuma.resources.meta import ResourceKey
from kuma.resources.registry import Registry
from kuma.resources.replica import Replica
from kuma.resources.violation import Violation
from kuma.xds.bootstrap.errors import Invalid, NotThereYet
from kuma.xds.bootstrap.request import BootstrapRequest

_UNKNOWN_SERVICE = "unknown"


@value
class ProxyFacts:
    """`admin_port` 0: the default one. `has_only_mesh_services`: of the proxy's mesh."""

    service: str
    address: str
    admin_port: int = 0
    has_only_mesh_services: bool = False


class ProxyDirectory(Protocol):
    def read(self, request: BootstrapRequest) -> ProxyFacts:
        """Raises NotThereYet, Invalid, InvalidResource, or Unavailable (of the store)."""


class ReplicaProxies:
    """The directory over the resources of this process.

    # Differs from Kuma: what is wrong with the document is said with status 422, also an unknown
    proxy type or kind, for which Kuma answers 500 and is asked again for minutes.
    """

    def __init__(self, replica: Replica, registry: Registry) -> None:
        self._replica = replica
        self._registry = registry

    def read(self, request: BootstrapRequest) -> ProxyFacts:
        if request.proxy_type in {"ingress", "egress"}:
            raise Invalid(f'proxy type "{request.proxy_type}" is not available yet')
        if request.proxy_type != "dataplane":
            raise Invalid(f'proxyType: unknown proxy type "{request.proxy_type}"')
        self._replica.check_available()
        spec = self._given(request) if request.dataplane_resource else self._stored(request)
        return replace(_facts(spec), has_only_mesh_services=self._has_only_mesh_services(request))

    def _has_only_mesh_services(self, request: BootstrapRequest) -> bool:
        mesh = self._replica.find(ResourceKey(MESH.name, "", request.mesh))
        spec = mesh.spec if mesh is not None else None
        return isinstance(spec, MeshSpec) and spec.has_only_mesh_services

    def _stored(self, request: BootstrapRequest) -> DataplaneSpec:
        key = ResourceKey(DATAPLANE.name, request.mesh, request.name)
        found = self._replica.find(key)
        if found is None or not isinstance(found.spec, DataplaneSpec):
            raise NotThereYet(f"{key} is not found")
        return found.spec

    def _given(self, request: BootstrapRequest) -> DataplaneSpec:
        try:
            raw = from_json(request.dataplane_resource, allow_inf_nan=False)
        except ValueError as error:
            raise Invalid(f"dataplaneResource: is not JSON: {error}") from error
        resource = parse_document(self._registry, raw)
        spec = resource.spec
        if not isinstance(spec, DataplaneSpec):
            raise Invalid(f'type: must be "{DATAPLANE.name}" for proxy type "{request.proxy_type}"')
        found = [
            Violation(field, f'is "{theirs}" here but "{asked}" in the request')
            for field, theirs, asked in (
                ("mesh", resource.mesh, request.mesh),
                ("name", resource.name, request.name),
            )
            if theirs != asked
        ]
        if self._replica.find(ResourceKey(MESH.name, "", resource.mesh)) is None:
            found.append(Violation("mesh", f'mesh "{resource.mesh}" does not exist'))
        if request.transparent_proxy is not None and spec.networking.outbound:
            message = "should be empty since dataplane is in Transparent Proxying mode"
            found.append(Violation("outbound", message))
        if found:
            raise InvalidResource(tuple(found))
        return spec


def _facts(spec: DataplaneSpec) -> ProxyFacts:
    networking, gateway = spec.networking, spec.networking.gateway
    tags = [gateway.tags] if gateway else []
    tags += [inbound.tags for inbound in networking.inbound]
    services = sorted(
        {each[well_known.SERVICE_TAG] for each in tags if well_known.SERVICE_TAG in each}
    )
    return ProxyFacts(
        service=services[0] if services else _UNKNOWN_SERVICE,
        address=networking.address,
        admin_port=networking.admin.port if networking.admin else 0,
    )
