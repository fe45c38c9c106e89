"""How TCP routes become routes of a plan."""

from kuma.policies.meshtcproute import KIND
from kuma.policies.meshtcproute.model import Rule
from kuma.policies.meshtcproute.route import draft_backends
from kuma.resolve.placement import Placement

PLACEMENT = Placement(
    kind=KIND,
    conf=Rule,
    tcp_backends=draft_backends,
)
