"""Reads from the replica that most routes begin with, and the titles under which they fail."""

from kuma.api.errors import titled
from kuma.resources.errors import NotFound
from kuma.resources.kinds.mesh import MESH
from kuma.resources.meta import ResourceKey
from kuma.resources.replica import Replica
from kuma.resources.resource import AnyResource


def check_mesh(replica: Replica, mesh: str) -> None:
    """Raises NotFound, titled."""
    with titled("Failed to retrieve Mesh"):
        find_resource(replica, ResourceKey(MESH.name, "", mesh))


def find_resource(replica: Replica, key: ResourceKey) -> AnyResource:
    """Raises NotFound, and Unavailable rather than tell what may be out of date."""
    replica.check_available()
    found = replica.find(key)
    if found is None:
        raise NotFound(key)
    return found
