"""Where merged timeouts ride in a plan."""

from kuma.policies.meshtimeout import KIND
from kuma.policies.meshtimeout.inbound import place_timeouts
from kuma.policies.meshtimeout.model import TimeoutConf
from kuma.resolve.placement import Placement

PLACEMENT = Placement(
    kind=KIND,
    conf=TimeoutConf,
    on_outbound=True,
    on_route=True,
    on_destination=True,
    on_inbound=place_timeouts,
)
