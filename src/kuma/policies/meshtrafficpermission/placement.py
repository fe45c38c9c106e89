"""Where permissions ride in a plan."""

from kuma.policies.meshtrafficpermission import KIND
from kuma.policies.meshtrafficpermission.inbound import lets_in, place_permissions
from kuma.policies.meshtrafficpermission.model import ActionConf
from kuma.resolve.placement import Placement

PLACEMENT = Placement(
    kind=KIND,
    conf=ActionConf,
    on_inbound=place_permissions,
    only_with_tls=True,
    lets_in=lets_in,
)
