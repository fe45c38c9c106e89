"""Dataplane: one proxy, the services behind it and the services it calls.

Source: https://kuma.io/docs/2.14.x/production/dp-config/dpp-on-universal
"""

from kuma.resources.kind import Kind, Scope, Sync
from kuma.resources.kinds.dataplane.model import (
    DataplaneNetworking,
    DataplaneSpec,
    Gateway,
    GatewayType,
    Inbound,
    InboundInterface,
    InboundState,
    Outbound,
)
from kuma.resources.kinds.dataplane.validate import validate_dataplane

__all__ = [
    "DATAPLANE",
    "DataplaneNetworking",
    "DataplaneSpec",
    "Gateway",
    "GatewayType",
    "Inbound",
    "InboundInterface",
    "InboundState",
    "Outbound",
]

DATAPLANE = Kind(
    name="Dataplane",
    plural="Dataplanes",
    scope=Scope.MESH,
    spec=DataplaneSpec,
    path="dataplanes",
    argument="dataplane",
    short="dp",
    spec_at_root=True,
    sync=Sync.ZONE_TO_GLOBAL,
    validate=validate_dataplane,
)
