"""StrategyConf -> the load balancer of a cluster, and what routes make hashes of.

Source: https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/load_balancers
"""

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.base_pb2 import RuntimeDouble
from envoy.config.route.v3.route_components_pb2 import Route, RouteAction

from kuma.envoy.message import duration
from kuma.envoy.shaper import Shaper, Upstream
from kuma.plan.proxy import Destination, Outbound
from kuma.plan.route import HttpRoute
from kuma.policies.meshloadbalancingstrategy.model import (
    Cookie,
    HashFunction,
    HashPolicies,
    HashPolicy,
    HashPolicyType,
    LeastRequest,
    LoadBalancer,
    LoadBalancerType,
    Maglev,
    RingHash,
    StrategyConf,
)
from kuma.resources.spec import parse_decimal

_POLICIES = {
    LoadBalancerType.ROUND_ROBIN: Cluster.ROUND_ROBIN,
    LoadBalancerType.LEAST_REQUEST: Cluster.LEAST_REQUEST,
    LoadBalancerType.RING_HASH: Cluster.RING_HASH,
    LoadBalancerType.RANDOM: Cluster.RANDOM,
    LoadBalancerType.MAGLEV: Cluster.MAGLEV,
}
_HASH_FUNCTIONS = {
    HashFunction.XX_HASH: Cluster.RingHashLbConfig.XX_HASH,
    HashFunction.MURMUR_HASH_2: Cluster.RingHashLbConfig.MURMUR_HASH_2,
}
DEFAULT_MIN_RING_SIZE = 1024


class StrategyShaper(Shaper):
    kind = "MeshLoadBalancingStrategy"

    def outbound_route(self, route: Route, plan: HttpRoute, outbound: Outbound) -> None:
        conf = plan.conf.get(StrategyConf)
        if conf is not None and route.HasField("route"):
            for each in _hash_policies(conf):
                route.route.hash_policy.append(build_hash_policy(each))

    def destination_cluster(self, upstream: Upstream, destination: Destination) -> None:
        conf = destination.conf.get(StrategyConf)
        if conf is None:
            return
        if conf.load_balancer is not None:
            _shape_load_balancer(upstream.cluster, conf.load_balancer)
        locality = conf.locality_awareness
        if locality is None or locality.local_zone is None:
            return
        if locality.local_zone.affinity_tags:
            upstream.cluster.common_lb_config.locality_weighted_lb_config.SetInParent()


def _hash_policies(conf: StrategyConf) -> HashPolicies:
    if conf.hash_policies is not None:
        return conf.hash_policies
    match conf.load_balancer:
        case LoadBalancer(type=LoadBalancerType.RING_HASH, ring_hash=inside) if inside:
            return inside.hash_policies or ()
        case LoadBalancer(type=LoadBalancerType.MAGLEV, maglev=inside) if inside:
            return inside.hash_policies or ()
    return ()


def build_hash_policy(policy: HashPolicy) -> RouteAction.HashPolicy:
    made = RouteAction.HashPolicy(terminal=bool(policy.terminal))
    match policy.type:
        case HashPolicyType.HEADER if policy.header:
            made.header.header_name = policy.header.name
        case HashPolicyType.COOKIE if policy.cookie:
            _fill_cookie(made.cookie, policy.cookie)
        case HashPolicyType.CONNECTION | HashPolicyType.SOURCE_IP if policy.connection:
            made.connection_properties.source_ip = bool(policy.connection.source_ip)
        case HashPolicyType.QUERY_PARAMETER if policy.query_parameter:
            made.query_parameter.name = policy.query_parameter.name
        case HashPolicyType.FILTER_STATE if policy.filter_state:
            made.filter_state.key = policy.filter_state.key
    return made


def _fill_cookie(made: RouteAction.HashPolicy.Cookie, cookie: Cookie) -> None:
    made.name, made.path = cookie.name, cookie.path or ""
    if cookie.ttl is not None:
        made.ttl.CopyFrom(duration(cookie.ttl))


def _shape_load_balancer(cluster: Cluster, balancer: LoadBalancer) -> None:
    cluster.lb_policy = _POLICIES[balancer.type]
    match balancer.type:
        case LoadBalancerType.LEAST_REQUEST if balancer.least_request:
            _shape_least_request(cluster.least_request_lb_config, balancer.least_request)
        case LoadBalancerType.RING_HASH if balancer.ring_hash:
            _shape_ring_hash(cluster.ring_hash_lb_config, balancer.ring_hash)
        case LoadBalancerType.MAGLEV if balancer.maglev:
            _shape_maglev(cluster.maglev_lb_config, balancer.maglev)


def _shape_least_request(made: Cluster.LeastRequestLbConfig, least: LeastRequest) -> None:
    made.SetInParent()
    if least.choice_count is not None:
        made.choice_count.value = least.choice_count
    bias = None if least.active_request_bias is None else parse_decimal(least.active_request_bias)
    if bias is not None:
        made.active_request_bias.CopyFrom(
            RuntimeDouble(default_value=float(bias), runtime_key="upstream.least_request.bias")
        )


def _shape_ring_hash(made: Cluster.RingHashLbConfig, ring: RingHash) -> None:
    """Envoy refuses a ring whose least size is above its greatest, which policies that are written
    apart can ask for, and a greatest size below the default of the least; so the greatest counts."""
    made.hash_function = _HASH_FUNCTIONS[ring.hash_function or HashFunction.XX_HASH]
    least, greatest = ring.min_ring_size, ring.max_ring_size
    if greatest is not None:
        made.maximum_ring_size.value = greatest
        least = min(least or DEFAULT_MIN_RING_SIZE, greatest)
    if least is not None:
        made.minimum_ring_size.value = least


def _shape_maglev(made: Cluster.MaglevLbConfig, maglev: Maglev) -> None:
    made.SetInParent()
    if maglev.table_size is not None:
        made.table_size.value = maglev.table_size


SHAPER = StrategyShaper()
