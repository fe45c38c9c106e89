"""The shapers of all policies, in order of application.

Apart from `catalogue.py`, so that who only reads and writes resources loads no protobuf.
"""

from kuma.envoy.shaper import Shaper
from kuma.policies.meshaccesslog.shape import SHAPER as ACCESS_LOG
from kuma.policies.meshcircuitbreaker.shape import SHAPER as CIRCUIT_BREAKER
from kuma.policies.meshfaultinjection.shape import SHAPER as FAULT_INJECTION
from kuma.policies.meshhealthcheck.shape import SHAPER as HEALTH_CHECK
from kuma.policies.meshloadbalancingstrategy.shape import SHAPER as LOAD_BALANCING
from kuma.policies.meshmetric.shape import SHAPER as METRIC
from kuma.policies.meshpassthrough.shape import SHAPER as PASSTHROUGH
from kuma.policies.meshproxypatch.shape import SHAPER as PROXY_PATCH
from kuma.policies.meshratelimit.shape import SHAPER as RATE_LIMIT
from kuma.policies.meshretry.shape import SHAPER as RETRY
from kuma.policies.meshtimeout.shape import SHAPER as TIMEOUT
from kuma.policies.meshtrace.shape import SHAPER as TRACE
from kuma.policies.meshtrafficpermission.shape import SHAPER as PERMISSION

SHAPERS: tuple[Shaper, ...] = (
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
