"""What resolution is told of every policy, in order of application; apart from the catalogue, so that
whoever only needs the kinds does not load resolution.
"""

from kuma.policies.meshaccesslog.placement import PLACEMENT as ACCESS_LOG
from kuma.policies.meshcircuitbreaker.placement import PLACEMENT as CIRCUIT_BREAKER
from kuma.policies.meshfaultinjection.placement import PLACEMENT as FAULT_INJECTION
from kuma.policies.meshhealthcheck.placement import PLACEMENT as HEALTH_CHECK
from kuma.policies.meshhttproute.placement import PLACEMENT as HTTP_ROUTE
from kuma.policies.meshloadbalancingstrategy.placement import PLACEMENT as LOAD_BALANCING
from kuma.policies.meshmetric.placement import PLACEMENT as METRIC
from kuma.policies.meshpassthrough.placement import PLACEMENT as PASSTHROUGH
from kuma.policies.meshproxypatch.placement import PLACEMENT as PROXY_PATCH
from kuma.policies.meshratelimit.placement import PLACEMENT as RATE_LIMIT
from kuma.policies.meshretry.placement import PLACEMENT as RETRY
from kuma.policies.meshtcproute.placement import PLACEMENT as TCP_ROUTE
from kuma.policies.meshtimeout.placement import PLACEMENT as TIMEOUT
from kuma.policies.meshtls.placement import PLACEMENT as TLS
from kuma.policies.meshtrace.placement import PLACEMENT as TRACE
from kuma.policies.meshtrafficpermission.placement import PLACEMENT as PERMISSION
from kuma.resolve.placement import Placement

PLACEMENTS: tuple[Placement, ...] = (
    HTTP_ROUTE,
    TCP_ROUTE,
    TLS,
    LOAD_BALANCING,
    PASSTHROUGH,
    ACCESS_LOG,
    TRACE,
    FAULT_INJECTION,
    RATE_LIMIT,
    TIMEOUT,
    PERMISSION,
    HEALTH_CHECK,
    CIRCUIT_BREAKER,
    RETRY,
    METRIC,
    PROXY_PATCH,
)
