"""How HTTP routes become routes of a plan."""

from kuma.policies.meshhttproute import KIND
from kuma.policies.meshhttproute.model import HttpRouteConf
from kuma.policies.meshhttproute.route import draft_routes, rule_hashes
from kuma.resolve.placement import Placement

PLACEMENT = Placement(
    kind=KIND,
    conf=HttpRouteConf,
    http_routes=draft_routes,
    rule_hashes=rule_hashes,
)
