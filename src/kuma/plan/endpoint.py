"""Where traffic to a destination goes. An EndpointSet is shared by all proxies that consume it."""

from kuma.kit.value import value
from kuma.plan.tags import Tags


@value
class Endpoint:
    """`address` is an IP (or a DNS name for destinations resolved by Envoy itself). `tags` become
    the endpoint's `envoy.lb` and `envoy.transport_socket_match` metadata."""

    address: str
    port: int
    tags: Tags = ()
    weight: int = 1
    healthy: bool = True
    zone: str = ""
    priority: int = 0


@value
class EndpointSet:
    """`name` is the cluster's name in EDS. `endpoints` are sorted."""

    name: str
    endpoints: tuple[Endpoint, ...]
