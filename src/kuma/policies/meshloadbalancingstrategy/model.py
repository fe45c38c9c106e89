"""MeshLoadBalancingStrategy as users write it, and StrategyConf, what is left after merging."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from kuma.resources.spec import Duration, IntOrString, NonNegative, SpecModel
from kuma.resources.target_ref import TargetRef

Name = Annotated[str, Field(min_length=1)]
RingSize = Annotated[int, Field(strict=True, ge=1, le=8_000_000)]


class HashPolicyType(StrEnum):
    HEADER = "Header"
    COOKIE = "Cookie"
    CONNECTION = "Connection"
    SOURCE_IP = "SourceIP"
    QUERY_PARAMETER = "QueryParameter"
    FILTER_STATE = "FilterState"


class Header(SpecModel):
    name: Name
    """Name of the request header."""


class Cookie(SpecModel):
    name: Name
    """Name of the cookie."""
    ttl: Duration | None = None
    """If set, a client without the cookie gets one that lives so long; 0: as long as its session."""
    path: str | None = None
    """Path of the cookie that is made."""


class Connection(SpecModel):
    source_ip: bool | None = Field(default=None, alias="sourceIP")
    """Hash on the address of the client."""


class QueryParameter(SpecModel):
    name: Name
    """Name of the parameter in the URL; upper and lower case differ."""


class FilterState(SpecModel):
    key: Name
    """Key of an object in Envoy's filter state."""


class HashPolicy(SpecModel):
    """What of a request its hash is made of; `type` says which of the fields counts."""

    type: HashPolicyType
    """What the hash is made of."""
    terminal: bool | None = None
    """Ignore the policies that follow, if this one yields a hash."""
    header: Header | None = None
    """For type Header."""
    cookie: Cookie | None = None
    """For type Cookie."""
    connection: Connection | None = None
    """For types Connection and SourceIP."""
    query_parameter: QueryParameter | None = None
    """For type QueryParameter."""
    filter_state: FilterState | None = None
    """For type FilterState."""


HashPolicies = tuple[HashPolicy, ...]


class LoadBalancerType(StrEnum):
    ROUND_ROBIN = "RoundRobin"
    LEAST_REQUEST = "LeastRequest"
    RING_HASH = "RingHash"
    RANDOM = "Random"
    MAGLEV = "Maglev"


class RoundRobin(SpecModel):
    """Nothing to set."""


class Random(SpecModel):
    """Nothing to set."""


class LeastRequest(SpecModel):
    choice_count: Annotated[int, Field(strict=True, ge=2, le=2**31 - 1)] | None = None
    """How many endpoints are looked at to find the one with the fewest requests. Default: 2."""
    active_request_bias: IntOrString | None = None
    """How much requests that are under way count among endpoints of different weight. Default: 1."""


class HashFunction(StrEnum):
    XX_HASH = "XXHash"
    MURMUR_HASH_2 = "MurmurHash2"


class RingHash(SpecModel):
    hash_function: HashFunction | None = None
    """Default: XXHash."""
    min_ring_size: RingSize | None = None
    """Larger: nearer to the weights. Default: 1024."""
    max_ring_size: RingSize | None = None
    """Limit of what the ring may take. Default: 8M."""
    hash_policies: HashPolicies | None = None
    """What the hash is made of; `hashPolicies` beside the load balancer is the newer form."""


class Maglev(SpecModel):
    table_size: Annotated[int, Field(strict=True, ge=1, le=5_000_011)] | None = None
    """A prime number; larger: fewer requests move when endpoints change. Default: 65537."""
    hash_policies: HashPolicies | None = None
    """What the hash is made of; `hashPolicies` beside the load balancer is the newer form."""


class LoadBalancer(SpecModel):
    type: LoadBalancerType
    """How the next endpoint is found."""
    round_robin: RoundRobin | None = None
    """One after the other."""
    least_request: LeastRequest | None = None
    """The one with the fewest requests among a few."""
    ring_hash: RingHash | None = None
    """The one at the hash's place in a ring."""
    random: Random | None = None
    """Any."""
    maglev: Maglev | None = None
    """The one at the hash's place in a table: faster than a ring, less stable."""


class AffinityTag(SpecModel):
    key: str
    """Tag of client and endpoint; a label of the Dataplane stands in."""
    weight: NonNegative | None = None
    """Share of the traffic among all groups. Left out: nine times all that follow."""


class LocalZone(SpecModel):
    affinity_tags: tuple[AffinityTag, ...] | None = None
    """Endpoints that share one of these tags with the client get most of its traffic."""


class FromZones(SpecModel):
    zones: tuple[str, ...]
    """Zones of the clients."""


class ToZonesType(StrEnum):
    NONE = "None"
    ONLY = "Only"
    ANY = "Any"
    ANY_EXCEPT = "AnyExcept"


class ToZones(SpecModel):
    type: ToZonesType
    """Which zones may take over."""
    zones: tuple[str, ...] | None = None
    """The zones, for Only and AnyExcept."""


class FailoverRule(SpecModel):
    from_: FromZones | None = Field(default=None, alias="from")
    """Only for clients in these zones. Left out: all."""
    to: ToZones
    """Where their traffic goes, when the rules before have no endpoint left."""


class FailoverThreshold(SpecModel):
    percentage: IntOrString
    """Below this share of healthy endpoints others take over. Default: 50."""


class CrossZone(SpecModel):
    failover: tuple[FailoverRule, ...] | None = None
    """In order. Zones that no rule admits get nothing."""
    failover_threshold: FailoverThreshold | None = None
    """When the next zones take over."""


class LocalityAwareness(SpecModel):
    disabled: bool | None = None
    """Zones make no difference, unless `localZone` or `crossZone` says which."""
    local_zone: LocalZone | None = None
    """Within the client's zone."""
    cross_zone: CrossZone | None = None
    """When that has not enough healthy endpoints."""


class StrategyConf(SpecModel):
    locality_awareness: LocalityAwareness | None = None
    """Which endpoints a client would rather use, by where they are."""
    load_balancer: LoadBalancer | None = None
    """How one among these is found. Default: RoundRobin."""
    hash_policies: HashPolicies | None = None
    """What of a request decides about its endpoint, for RingHash and Maglev."""


class To(SpecModel):
    target_ref: TargetRef
    """The destination: Mesh for all, a MeshService, a MeshMultiZoneService, or a MeshHTTPRoute."""
    default: StrategyConf = StrategyConf()
    """The strategy of calls to it."""


class MeshLoadBalancingStrategySpec(SpecModel):
    target_ref: TargetRef | None = None
    """The proxies that the policy configures. Left out: all of the mesh."""
    to: tuple[To, ...] | None = None
    """For calls that these proxies make."""
