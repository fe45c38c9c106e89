"""Reads from the replica that most routes begin with, and the titles under which they fail."""

from starlette.requests import Request

from kuma.api.errors import titled
from kuma.resources.errors import NotFound
from kuma.resources.kinds.dataplane import DATAPLANE
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


def find_dataplane(replica: Replica, request: Request, *, title: str) -> tuple[str, str]:
    """Mesh and name of the Dataplane that the path names. Raises NotFound, titled."""
    mesh, name = request.path_params["mesh"], request.path_params["name"]
    check_mesh(replica, mesh)
    with titled(title):
        find_resource(replica, ResourceKey(DATAPLANE.name, mesh, name))
    return mesh, name
