"""Where traffic to a destination goes. An EndpointSet is shared by all proxies that consume it."""

from kuma.kit.value import value
from kuma.plan.tags import Tags


@value
class Endpoint:
    """`address` is an IP (or a DNS name for destinations resolved by Envoy itself). `tags` become
    the endpoint's metadata. `zone` and `sub_zone` make its locality; `locality_weight` is what that
    gets of its priority, 0: no weight."""

    address: str
    port: int
    tags: Tags = ()
    weight: int = 1
    healthy: bool = True
    zone: str = ""
    priority: int = 0
    sub_zone: str = ""
    locality_weight: int = 0


@value
class EndpointSet:
    """`name` is the cluster's name in EDS. `endpoints` are sorted. `overprovisioning` in percent: how
    much more load than its share the healthy part of a priority can take before the next one gets
    some; 0: Envoy's default. `matches_sockets`: somebody chooses the transport socket by the tags."""

    name: str
    endpoints: tuple[Endpoint, ...]
    overprovisioning: int = 0
    matches_sockets: bool = False


@value
class Affinity:
    """Endpoints of the own zone with the tag `key`=`value` get `weight` of its traffic."""

    key: str
    value: str
    weight: int


@value
class Failover:
    """Endpoints of these zones, or of all but these, have `priority`."""

    priority: int
    zones: tuple[str, ...] = ()
    is_inverted: bool = False

    def admits(self, zone: str) -> bool:
        return (zone in self.zones) is not self.is_inverted


@value
class Preference:
    """Which endpoints a client would rather use. `failovers` None: those of other zones have one
    priority after the own; else the first that admits a zone decides, and none excludes it.
    `is_by_zone` False: zones make no difference. `affinities`: the first that holds decides."""

    is_by_zone: bool = True
    affinities: tuple[Affinity, ...] = ()
    failovers: tuple[Failover, ...] | None = None
    overprovisioning: int = 0
