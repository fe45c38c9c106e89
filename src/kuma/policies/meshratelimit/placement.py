"""Where merged rate limits ride in a plan."""

from kuma.policies.meshratelimit import KIND
from kuma.policies.meshratelimit.inbound import place_rate_limits
from kuma.policies.meshratelimit.model import RateLimitConf
from kuma.resolve.placement import Placement

PLACEMENT = Placement(
    kind=KIND,
    conf=RateLimitConf,
    on_inbound=place_rate_limits,
)
