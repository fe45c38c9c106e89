"""A Replica that holds given resources."""

from kuma.resources.replica import Replica
from kuma.resources.resource import AnyResource


def replica_of(*resources: AnyResource) -> Replica:
    replica = Replica()
    replica.resynced(resources)
    return replica
