"""Where faults ride in a plan."""

from kuma.policies.meshfaultinjection import KIND
from kuma.policies.meshfaultinjection.inbound import place_faults
from kuma.policies.meshfaultinjection.model import FaultInjectionConf
from kuma.resolve.placement import Placement

PLACEMENT = Placement(
    kind=KIND,
    conf=FaultInjectionConf,
    on_inbound=place_faults,
)
