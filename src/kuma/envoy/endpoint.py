"""Endpoints of a destination, as EDS has them: by locality, with weights and metadata."""

from functools import lru_cache
from itertools import groupby

from envoy.config.core.v3.base_pb2 import Metadata
from envoy.config.core.v3.health_check_pb2 import HealthStatus
from envoy.config.endpoint.v3.endpoint_components_pb2 import LbEndpoint, LocalityLbEndpoints
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment

from kuma.envoy.message import struct
from kuma.plan.endpoint import Endpoint, EndpointSet
from kuma.plan.tags import Tags

SERVICE = "kuma.io/service"
SUBSETS = "envoy.lb"
SOCKET_MATCH = "envoy.transport_socket_match"


def build_assignment(endpoints: EndpointSet) -> ClusterLoadAssignment:
    """One group per priority and locality, lower priorities first. Without endpoints the assignment
    is empty and still sent: requests are then refused at once, with 503."""
    made = ClusterLoadAssignment(cluster_name=endpoints.name)
    ordered = sorted(endpoints.endpoints, key=_locality)
    for _, group in groupby(ordered, key=_locality):
        first, *rest = group
        into = _fill_group(made.endpoints.add(), first)
        for endpoint in (first, *rest):
            fill_lb_endpoint(
                into.lb_endpoints.add(), endpoint, matches_sockets=endpoints.matches_sockets
            )
    if endpoints.overprovisioning:
        made.policy.overprovisioning_factor.value = endpoints.overprovisioning
    return made


def fill_lb_endpoint(made: LbEndpoint, endpoint: Endpoint, *, matches_sockets: bool) -> None:
    """Into a message that its container made: copying one would take as long as filling it."""
    socket = made.endpoint.address.socket_address
    socket.address, socket.port_value = endpoint.address, endpoint.port
    made.load_balancing_weight.value = endpoint.weight
    if endpoint.tags:
        made.metadata.CopyFrom(_metadata(endpoint.tags, matches_sockets))
    if not endpoint.healthy:
        made.health_status = HealthStatus.UNHEALTHY


def _locality(endpoint: Endpoint) -> tuple[int, str, str]:
    return endpoint.priority, endpoint.zone, endpoint.sub_zone


def _fill_group(group: LocalityLbEndpoints, of: Endpoint) -> LocalityLbEndpoints:
    group.priority = of.priority
    if of.zone:
        group.locality.zone = of.zone
    if of.sub_zone:
        group.locality.sub_zone = of.sub_zone
    if of.locality_weight:
        group.load_balancing_weight.value = of.locality_weight
    return group


@lru_cache(maxsize=4096)
def _metadata(tags: Tags, matches_sockets: bool) -> Metadata:
    """Shared by the endpoints with the same tags. The service is not among them: it is the
    cluster's name.

    # Differs from Kuma: the tags are there for the choice of transport sockets only where a
    # MeshProxyPatch of the mesh speaks of it; they are half of what a change of clusters costs,
    # since each changed cluster gets its endpoints again.
    """
    made = Metadata()
    fields = struct((key, text) for key, text in tags if key != SERVICE)
    if fields.fields:
        made.filter_metadata[SUBSETS].CopyFrom(fields)
        if matches_sockets:
            made.filter_metadata[SOCKET_MATCH].CopyFrom(fields)
    return made
