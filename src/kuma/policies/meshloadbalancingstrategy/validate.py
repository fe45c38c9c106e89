"""What the schema of a MeshLoadBalancingStrategy cannot say."""

from collections.abc import Sequence
from math import isqrt

from kuma.policies.constraints import (
    PROXIES,
    Found,
    header_value,
    not_negative,
    percentage,
    positive,
)
from kuma.policies.lists import validate_top
from kuma.policies.meshloadbalancingstrategy.model import (
    Cookie,
    CrossZone,
    FailoverThreshold,
    HashPolicies,
    HashPolicy,
    HashPolicyType,
    Header,
    LeastRequest,
    LoadBalancer,
    LoadBalancerType,
    LocalityAwareness,
    LocalZone,
    Maglev,
    MeshLoadBalancingStrategySpec,
    StrategyConf,
    To,
    ToZones,
    ToZonesType,
)
from kuma.resources.resource import Resource
from kuma.resources.spec import parse_decimal
from kuma.resources.target_ref import (
    WHOLE_MESH,
    TargetRef,
    TargetRefKind,
    validate_target_ref,
)
from kuma.resources.violation import Violation, at

_DESTINATIONS = (
    TargetRefKind.MESH,
    TargetRefKind.MESH_SERVICE,
    TargetRefKind.MESH_MULTI_ZONE_SERVICE,
)
_ROUTES_HAVE_HASHES = (
    "field is not allowed when targetRef.kind is MeshHTTPRoute, only hashPolicies is supported"
)
_TWICE = "hashPolicies already specified in the root level"
_ALL_WEIGHTS = 2**32 - 2  # Envoy's limit for a priority, but for those that share no tag
_NOT_EMPTY = "must not be empty"


def validate(resource: Resource[MeshLoadBalancingStrategySpec]) -> Found:
    spec = resource.spec
    top = (spec.target_ref or WHOLE_MESH).kind
    found: list[Violation] = []
    found += validate_top(
        spec.target_ref, kinds=(*PROXIES, TargetRefKind.MESH_GATEWAY), gateway_tags_allowed=True
    )
    for index, item in enumerate(spec.to or ()):
        found += at(f"to[{index}].targetRef", _validate_target(item, top))
        found += at(f"to[{index}].default", _validate_conf(item.default, item.target_ref))
    return at("spec", found)


def _validate_target(item: To, top: TargetRefKind) -> Sequence[Violation]:
    target = item.target_ref
    if top is not TargetRefKind.MESH_GATEWAY:
        kinds = (*_DESTINATIONS, TargetRefKind.MESH_HTTP_ROUTE)
        found = validate_target_ref(target, kinds=kinds)
    elif item.default.load_balancer is None:
        found = validate_target_ref(target, kinds=_DESTINATIONS)
    elif target.kind is TargetRefKind.MESH:
        found = validate_target_ref(target, kinds=(TargetRefKind.MESH,))
    else:
        text = f"value '{top}' is not supported, only Mesh is allowed if loadBalancer is set"
        found = (Violation("kind", text),)
    if target.kind is TargetRefKind.MESH_EXTERNAL_SERVICE and top is not TargetRefKind.MESH:
        text = (
            "kind MeshExternalService is only allowed with targetRef.kind: Mesh as it is "
            "configured on the Zone Egress and shared by all clients in the mesh"
        )
        return (*found, Violation("kind", text))
    return found


def _validate_conf(conf: StrategyConf, target: TargetRef) -> list[Violation]:
    found = [*at("hashPolicies", _validate_hash_policies(conf.hash_policies))]
    if target.kind is TargetRefKind.MESH_HTTP_ROUTE:
        if conf.load_balancer is not None:
            found.append(Violation("loadBalancer", _ROUTES_HAVE_HASHES))
        if conf.locality_awareness is not None:
            found.append(Violation("localityAwareness", _ROUTES_HAVE_HASHES))
        return found
    if conf.load_balancer is not None:
        found += at("loadBalancer", _validate_load_balancer(conf.load_balancer))
        if conf.hash_policies is not None:
            found += at("loadBalancer", _refuse_second_hash_policies(conf.load_balancer))
    if conf.locality_awareness is not None:
        found += at("localityAwareness", _validate_locality(conf.locality_awareness, target))
    return found


def _refuse_second_hash_policies(balancer: LoadBalancer) -> list[Violation]:
    of_kind = {"ringHash": balancer.ring_hash, "maglev": balancer.maglev}
    return [
        Violation(f"{field}.hashPolicies", _TWICE)
        for field, inside in of_kind.items()
        if inside is not None and inside.hash_policies is not None
    ]


def _validate_load_balancer(balancer: LoadBalancer) -> Sequence[Violation]:
    match balancer:
        case LoadBalancer(type=LoadBalancerType.RING_HASH, ring_hash=inside) if inside:
            return at("ringHash.hashPolicies", _validate_hash_policies(inside.hash_policies))
        case LoadBalancer(type=LoadBalancerType.MAGLEV, maglev=inside) if inside:
            return at("maglev", _validate_maglev(inside))
        case LoadBalancer(type=LoadBalancerType.LEAST_REQUEST, least_request=inside) if inside:
            return at("leastRequest", _validate_least_request(inside))
    return ()


def _validate_maglev(maglev: Maglev) -> list[Violation]:
    """Differs from Kuma, which takes any size and has Envoy refuse the cluster."""
    found = [*at("hashPolicies", _validate_hash_policies(maglev.hash_policies))]
    if maglev.table_size is not None and not _is_prime(maglev.table_size):
        found.append(Violation("tableSize", "must be a prime number"))
    return found


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, isqrt(number) + 1))


def _validate_least_request(least: LeastRequest) -> Found:
    if least.active_request_bias is None:
        return ()
    bias = parse_decimal(least.active_request_bias)
    if bias is None:
        return (Violation("activeRequestBias", "string must be a valid number"),)
    if bias < 0:
        return (Violation("activeRequestBias", "must be greater or equal then: 0"),)
    return ()


def _validate_hash_policies(policies: HashPolicies | None) -> list[Violation]:
    return [
        violation
        for index, policy in enumerate(policies or ())
        for violation in at(f"[{index}]", _validate_hash_policy(policy))
    ]


def _validate_hash_policy(policy: HashPolicy) -> Found:
    needed = {
        HashPolicyType.HEADER: ("header", policy.header),
        HashPolicyType.COOKIE: ("cookie", policy.cookie),
        HashPolicyType.QUERY_PARAMETER: ("queryParameter", policy.query_parameter),
        HashPolicyType.FILTER_STATE: ("filterState", policy.filter_state),
        HashPolicyType.CONNECTION: ("connection", policy.connection),
        HashPolicyType.SOURCE_IP: ("connection", policy.connection),
    }
    field, inside = needed[policy.type]
    match inside:
        case None:
            return (Violation(field, "must be defined"),)
        case Header():
            return header_value("header.name", inside.name)
        case Cookie():
            return _validate_cookie(inside)
    return ()


def _validate_cookie(cookie: Cookie) -> Found:
    found = not_negative("cookie.ttl", cookie.ttl)
    if cookie.path is not None and not cookie.path.startswith("/"):
        return (*found, Violation("cookie.path", "must be an absolute path"))
    return found


def _validate_locality(locality: LocalityAwareness, target: TargetRef) -> list[Violation]:
    found: list[Violation] = []
    if locality.local_zone is not None:
        found += at("localZone", _validate_local_zone(locality.local_zone))
    if locality.cross_zone is not None:
        found += at("crossZone", _validate_cross_zone(locality.cross_zone, target))
    return found


def _validate_local_zone(local: LocalZone) -> list[Violation]:
    tags = local.affinity_tags or ()
    found: list[Violation] = []
    for index, tag in enumerate(tags):
        if not tag.key:
            found.append(Violation(f"affinityTags[{index}].key", _NOT_EMPTY))
        found += positive(f"affinityTags[{index}].weight", tag.weight)
    if len({tag.weight is None for tag in tags}) > 1:
        found.append(Violation("affinityTags", "all or none affinity tags should have weight"))
    if sum(tag.weight or 0 for tag in tags) > _ALL_WEIGHTS:
        found.append(Violation("affinityTags", f"weights must not add up to over {_ALL_WEIGHTS}"))
    return found


def _validate_cross_zone(cross: CrossZone, target: TargetRef) -> list[Violation]:
    found: list[Violation] = []
    if target.kind is TargetRefKind.MESH_SERVICE and (target.section_name or target.labels):
        found.append(Violation("", "must not be set: MeshService traffic is local"))
    for index, rule in enumerate(cross.failover or ()):
        if rule.from_ is not None:
            found += _validate_from(f"failover[{index}].from.zones", rule.from_.zones)
        found += at(f"failover[{index}].to", _validate_to(rule.to))
    return [*found, *at("failoverThreshold", _validate_threshold(cross.failover_threshold))]


def _validate_from(path: str, zones: tuple[str, ...]) -> list[Violation]:
    if not zones:
        return [Violation(path, _NOT_EMPTY)]
    return [
        Violation(f"{path}[{index}]", _NOT_EMPTY) for index, zone in enumerate(zones) if not zone
    ]


def _validate_to(to: ToZones) -> list[Violation]:
    names_zones = to.type in {ToZonesType.ONLY, ToZonesType.ANY_EXCEPT}
    if names_zones is bool(to.zones):
        return []
    text = "must not be empty" if names_zones else "must be empty"
    return [Violation("zones", f"{text} when type is {to.type}")]


def _validate_threshold(threshold: FailoverThreshold | None) -> Found:
    if threshold is None:
        return ()
    if parse_decimal(threshold.percentage) == 0:
        return (Violation("percentage", "must be greater than 0"),)
    return percentage("percentage", threshold.percentage)
