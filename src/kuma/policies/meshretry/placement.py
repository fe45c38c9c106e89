"""Where merged retries ride in a plan."""

from kuma.policies.meshretry import KIND
from kuma.policies.meshretry.model import RetryConf
from kuma.resolve.placement import Placement

PLACEMENT = Placement(
    kind=KIND,
    conf=RetryConf,
    on_outbound=True,
    on_route=True,
)
