"""Where merged health checks ride in a plan."""

from kuma.policies.meshhealthcheck import KIND
from kuma.policies.meshhealthcheck.model import HealthCheckConf
from kuma.resolve.placement import Placement

PLACEMENT = Placement(
    kind=KIND,
    conf=HealthCheckConf,
    on_destination=True,
)
